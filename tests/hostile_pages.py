"""Text that would break a page, and the sizes to look at one in."""

from playwright.sync_api import ViewportSize

DESKTOP: ViewportSize = {"width": 1280, "height": 900}
PHONE: ViewportSize = {"width": 390, "height": 844}
SCRIPT = "<script>alert(1)</script><img src=x onerror=alert(2)>"
BACKWARDS = "\u202eabc\u202d \u2067def \u05d0\u05d1"
LONG = "w" * 10_000
