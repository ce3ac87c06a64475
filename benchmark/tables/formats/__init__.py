"""The formats that tables are printed in."""
