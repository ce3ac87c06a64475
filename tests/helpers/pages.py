"""Text that tries to break out of a page, a figure or a table."""

from __future__ import annotations

HOSTILE = (
    """</script><script>window.hacked=1</script><img src=x onerror="window.hacked=1">'"{{7*7}}$\\frac{"""
)
