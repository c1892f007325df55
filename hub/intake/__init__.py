"""Bytes to bounded objects to the event log to a receipt: the one way in for what centres say over HTTP.

``body`` cuts what arrives into objects (sans-IO), ``budget`` bounds what is in memory, ``service`` appends to the log,
``receipts`` says what became of it.
"""

from hub.intake.body import Encoding, Form, Piece
from hub.intake.budget import Budget
from hub.intake.receipts import ReceiptCodec, ReceiptName
from hub.intake.service import Intake, IntakeLimits, Taken

__all__ = ["Budget", "Encoding", "Form", "Intake", "IntakeLimits", "Piece", "ReceiptCodec", "ReceiptName", "Taken"]
