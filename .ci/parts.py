"""The parts of moot, lowest first, and a check that nothing imports upwards.

    python .ci/parts.py          prints the graph of parts as docs/architecture.md shows it

Every import counts: at the top of a file, inside functions and under TYPE_CHECKING. A part is a folder with its
sub-folders, except for those that stand in the list themselves.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

FLOORS = (
    "protocols.engine",
    "protocols",
    "protocols.amplification",
    "protocols.market",
    "protocols.debate",
    "protocols.trees",
    "protocols.games",
    "complexity",
    "transcripts.display",
    "transcripts",
    "agents",
    "judges",
    "play",
    "transcripts.formats",
    "tasks",
    "complexity.search",
    "training",
    "experiments",
    "studies",
    "web",
    "testing",
    "",
    "cli",
)
"""Lowest first: a part may import those before it, and no others. "" is the face, `import moot`."""


def package() -> Path:
    """The folder of the installed package."""
    import moot

    return Path(moot.__file__).parent


def modules(root: Path) -> dict[str, Path]:
    """Every module below the package's folder by its name without "moot.", parts behind links included."""
    found = {}
    for top in (root, *sorted(path for path in root.iterdir() if path.is_dir())):
        for path in sorted(top.glob("*.py") if top == root else top.resolve().rglob("*.py")):
            inside = path.relative_to(root) if top == root else Path(top.name) / path.relative_to(top.resolve())
            found[".".join(inside.with_suffix("").parts).removesuffix("__init__").removesuffix(".")] = path
    return found


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """Every statement, wherever it stands. No expression holds one, and expressions are most of a tree."""
    todo = [tree]
    while todo:
        node = todo.pop()
        yield node
        todo += [each for each in ast.iter_child_nodes(node) if not isinstance(each, ast.expr)][::-1]


def imports(source: str, known: Mapping[str, object]) -> Iterator[tuple[str, int]]:
    """The modules of moot that a source imports, wherever in it, each with its line."""
    for node in statements(ast.parse(source)):
        if isinstance(node, ast.Import):
            for alias in node.names:
                if alias.name.partition(".")[0] == "moot":
                    yield alias.name.partition(".")[2], node.lineno
        elif isinstance(node, ast.ImportFrom) and not node.level and (node.module or "").partition(".")[0] == "moot":
            base = (node.module or "").partition(".")[2]
            for alias in node.names:
                inner = f"{base}.{alias.name}".lstrip(".")
                yield inner if inner in known else base, node.lineno


def part_of(module: str) -> str:
    """The part that a module belongs to: the longest listed name that it stands in."""
    if module == "__main__":
        return "cli"
    return max((part for part in FLOORS if module == part or module.startswith(f"{part}.") or not part), key=len)


def edges(root: Path) -> dict[str, list[tuple[str, int]]]:
    """Module to the modules that it imports."""
    known = modules(root)
    return {name: list(imports(path.read_text("utf-8"), known)) for name, path in known.items()}


def upward(graph: Mapping[str, list[tuple[str, int]]]) -> list[str]:
    """Every import of a higher part, in words."""
    floor = {part: number for number, part in enumerate(FLOORS)}
    return [
        f"{name}, line {line}, imports {target}: {part_of(target) or 'the face'} stands above {part_of(name) or 'the face'}"
        for name, targets in graph.items()
        for target, line in targets
        if floor[part_of(target)] > floor[part_of(name)]
    ]


def circles(graph: Mapping[str, list[tuple[str, int]]]) -> list[list[str]]:
    """Files that import each other in a circle."""
    import networkx

    files = networkx.DiGraph([(name, target) for name, targets in graph.items() for target, _ in targets])
    return [sorted(found) for found in networkx.strongly_connected_components(files) if len(found) > 1]


def drawn(graph: Mapping[str, list[tuple[str, int]]]) -> str:
    """The parts, highest first, each with those that it stands on: what it imports, less what these import anyway."""
    import networkx

    needs: networkx.DiGraph[str] = networkx.DiGraph()
    needs.add_nodes_from(FLOORS)
    needs.add_edges_from((part_of(name), part_of(target)) for name, targets in graph.items() for target, _ in targets)
    needs.remove_edges_from(list(networkx.selfloop_edges(needs)))
    if networkx.is_directed_acyclic_graph(needs):
        needs = networkx.transitive_reduction(needs)
    order = {part: number for number, part in enumerate(FLOORS)}
    return "\n".join(
        f"{part or 'moot (the face)':25}{' '.join(sorted(needs[part], key=lambda each: order[each], reverse=True))}".rstrip()
        for part in reversed(FLOORS)
    )


if __name__ == "__main__":
    found = edges(package())
    print(drawn(found))
    wrong = [*upward(found), *(f"a circle: {', '.join(circle)}" for circle in circles(found))]
    print(*wrong, sep="\n", file=sys.stderr)
    sys.exit(bool(wrong))
