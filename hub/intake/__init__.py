"""The path of pushed data over HTTP: from bytes to bounded objects, to the event log, to a receipt.

``body`` splits bytes into objects (sans-IO), ``budget`` limits memory and ``allowed_time`` how long it is held,
``service`` appends to the log, ``receipts`` encodes receipts, ``statuses`` the ids of TAXII status resources.
"""

from hub.intake.body import Encoding, Form, Piece
from hub.intake.budget import Budget
from hub.intake.receipts import ReceiptCodec, ReceiptName
from hub.intake.service import Intake, IntakeLimits, Taken, TakenWithStatus
from hub.intake.statuses import StatusCodec, StatusName

__all__ = [
    "Budget",
    "Encoding",
    "Form",
    "Intake",
    "IntakeLimits",
    "Piece",
    "ReceiptCodec",
    "ReceiptName",
    "StatusCodec",
    "StatusName",
    "Taken",
    "TakenWithStatus",
]  # fmt: skip
