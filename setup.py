"""Stops a build where the links of `src/moot` are not links, as in a download without them: the package would be empty.
Rule: one check before the build, with the standard library and setuptools alone.

All else about the build stands in pyproject.toml.
"""

import sys
from pathlib import Path

from setuptools import setup

root = Path(__file__).resolve().parent
others = {"benchmarks", "examples", "tests"}
parts = sorted(
    {init.parent.name for init in root.glob("*/__init__.py")} - others
)  # an sdist has them in src/moot alone
missing = [part for part in parts if not (root / "src" / "moot" / part / "__init__.py").is_file()]
if missing:
    sys.exit(
        f"moot cannot be built from {root}: this checkout has no symbolic links.\n"
        f"src/moot should hold a link to each part, and {', '.join(missing)} cannot be reached through it.\n"
        "Clone the repository with git where links are allowed (on Windows: switch on Developer Mode, then\n"
        "`git clone -c core.symlinks=true ...`), or install a wheel or an sdist, which need none."
    )

setup()
