"""How long something takes, in words."""


def duration(seconds: float) -> str:
    """Two units at most: "1 h 12 min", "38 min", "41 s"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, hours, days = whole // 60, whole // 3600, whole // 86_400
    if hours == 0:
        return f"{minutes} min" + (f" {whole % 60} s" if minutes < 10 and whole % 60 else "")
    if days == 0:
        return f"{hours} h {minutes % 60} min"
    return f"{days} d {hours % 24} h"
