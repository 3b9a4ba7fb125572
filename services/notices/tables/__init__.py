"""What notices keeps: its tables (`schema`), and their rows as values (`rows`)."""

from services.notices.tables.rows import NoticeRow, OrganizationRow

__all__ = ["NoticeRow", "OrganizationRow"]
