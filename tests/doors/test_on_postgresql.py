"""What the doors promise holds on PostgreSQL too: the same tests, over a store on a real server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests.doors import (
    test_budgeted,
    test_explain,
    test_explain_around,
    test_explain_as,
    test_explain_past,
    test_export,
    test_http,
    test_push,
    test_stream,
    test_taxii,
    test_taxii_rules,
    test_taxii_writing,
)
from tests.doors.hubs import Hub, a_hub

PROMISES: list[Callable[[Hub], Awaitable[None]]] = [
    test_taxii_rules.test_r1_pages_follow_the_change_log_in_commit_order,
    test_taxii_rules.test_r4_added_after_is_exclusive,
    test_taxii_rules.test_r6_filters_that_a_client_drops_come_from_the_cursor,
    test_taxii_rules.test_r6_added_after_comes_from_the_cursor_and_of_two_the_later_counts,
    test_taxii_rules.test_r9_versions_that_are_not_asked_for_make_no_empty_pages,
    test_taxii_rules.test_r10_an_empty_page_says_up_to_where_nothing_is_missing,
    test_taxii.test_match_id_finds_objects_by_id_in_order_and_page_by_page,
    test_taxii.test_match_version_chooses_among_the_versions_of_each_object,
    test_taxii.test_several_versions_page_without_loss,
    test_taxii.test_rare_types_among_many_others_come_in_order,
    test_taxii.test_one_object_is_read_by_its_id_with_its_versions,
    test_taxii.test_an_owners_object_that_is_withdrawn_leaves_the_collection,
    test_taxii.test_taxii_and_the_stream_say_the_same_in_the_same_order,
    test_taxii_writing.test_what_is_added_is_pending_and_then_told_object_by_object,
    test_taxii_writing.test_a_status_counts_what_has_been_processed_so_far,
    test_taxii_writing.test_a_status_is_of_its_source_alone,
    test_taxii_writing.test_deleting_withdraws_the_own_claim_alone,
    test_stream.test_a_stream_gives_every_change_with_its_number,
    test_stream.test_a_withdrawal_is_an_event_with_the_id,
    test_stream.test_a_stream_resumes_among_versions_that_are_deleted,
    test_budgeted.test_a_reader_that_takes_nothing_holds_no_transaction_and_keeps_no_writer_waiting,
    test_push.test_of_many_problems_the_first_thousand_come_and_the_rest_page_by_page,
    test_push.test_a_receipt_is_complete_only_when_every_part_of_it_is,
    test_push.test_rejections_are_paged_and_the_centres_own,
    test_export.test_what_is_revoked_withdrawn_or_gone_by_is_not_in_it,
    test_export.test_limit_gives_the_best_by_confidence_and_recency,
    test_explain.test_a_merged_indicator_is_explained_by_its_claims,
    test_explain.test_what_asserts_a_value_comes_before_what_only_names_it,
    test_explain.test_many_patterns_that_one_may_not_see_do_not_hide_one_that_one_may,
    test_explain.test_an_owners_object_and_a_relationship_are_explained,
    test_explain_as.test_level_and_group_keep_a_claim_out,
    test_explain_as.test_a_relationship_waits_for_its_end_and_is_found_by_its_own_id,
    test_explain_past.test_what_was_shown_before_a_withdrawal_is_found_by_its_old_id_and_by_the_value,
    test_explain_past.test_an_owners_object_that_came_back_under_its_id_is_found,
    test_explain_around.test_names_above_a_name_and_urls_on_a_host_are_named,
    test_explain_around.test_a_thing_has_its_description_references_and_what_relationships_link_it_with,
    test_http.test_status_shows_each_what_is_theirs,
]


@pytest.mark.parametrize("holds", PROMISES, ids=lambda promise: promise.__name__.removeprefix("test_"))
async def test_on_postgresql(holds: Callable[[Hub], Awaitable[None]], tmp_path: Path, migrated_url: str) -> None:
    async with a_hub(tmp_path, database=migrated_url, page_objects=10) as hub:
        await hub.centre("ro", country="RO")
        await hub.centre("it", country="IT")
        await hub.member("soc")
        await holds(hub)
