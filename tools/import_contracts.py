"""A forbidden-import contract that may name rooms which are still to come.

import-linter's own contract refuses a module that does not exist. Naming future rooms now means
that nobody has to remember the contract on the day such a room is built.
"""

from grimp import ImportGraph
from importlinter import ContractCheck
from importlinter.contracts.forbidden import ForbiddenContract


class ForbiddenIfPresent(ForbiddenContract):
    """`forbidden`, minus those of our own modules that are not in the graph."""

    type_name = "forbidden_if_present"

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        for field in ("source_modules", "forbidden_modules"):
            present = {
                module
                for module in getattr(self, field)
                if module.expression in graph.modules or not module.expression.startswith("orch.")
            }
            setattr(self, field, present)
        return super().check(graph, verbose)
