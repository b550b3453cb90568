"""Fonts, found by path: Debian packages fonts-croscore (Tinos, Arimo, Cousine),
fonts-liberation2, fonts-dejavu-core and fonts-dancingscript.

    apt-get install fonts-croscore fonts-liberation2 fonts-dejavu-core fonts-dancingscript
"""

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

ROOTS = [Path("/usr/share/fonts"), Path("/usr/local/share/fonts"), Path.home() / ".fonts"]

# style -> file names, the first that is installed wins
STYLES = {
    "serif": ["Tinos-Regular.ttf", "LiberationSerif-Regular.ttf"],
    "bold": ["Tinos-Bold.ttf", "LiberationSerif-Bold.ttf"],
    "italic": ["Tinos-Italic.ttf", "LiberationSerif-Italic.ttf"],
    "bolditalic": ["Tinos-BoldItalic.ttf", "LiberationSerif-BoldItalic.ttf"],
    "sans": ["Arimo-Regular.ttf", "LiberationSans-Regular.ttf"],
    "sansbold": ["Arimo-Bold.ttf", "LiberationSans-Bold.ttf"],
    "dejavu": ["DejaVuSans.ttf"],
    "mono": ["Cousine-Regular.ttf", "LiberationMono-Regular.ttf"],
    "monobold": ["Cousine-Bold.ttf", "LiberationMono-Bold.ttf"],
    "hand": ["DancingScript-Regular.otf"],
}


@lru_cache(maxsize=None)
def path(style: str) -> str:
    """The file of a style; ends the program with the packages to install where none is found."""
    for name in STYLES[style]:
        for root in ROOTS:
            for found in sorted(root.rglob(name)) if root.exists() else []:
                return str(found)
    raise SystemExit(
        f"no font for style {style!r}: none of {', '.join(STYLES[style])} under "
        f"{', '.join(map(str, ROOTS))}\n"
        "install: apt-get install fonts-croscore fonts-liberation2 fonts-dejavu-core fonts-dancingscript"
    )


@lru_cache(maxsize=256)
def font(style: str, pixels: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path(style), pixels)
