"""The words of the hub as frozen values: no I/O, no clock, nothing imported from the rooms above."""
