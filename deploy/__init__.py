"""Everything that starts, equips and checks an installation; no business rule lives here."""
