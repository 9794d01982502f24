"""OpenQASM 3: its syntax, the expansion of constants, and control flow during a run.

`parser` is the entry. A statement goes through these packages:

1. `reading` makes its syntax tree: `statements`, `declarations` and `expressions` read the tokens,
   `words` lists the reserved names, and `syntax` the nodes.
2. `running` runs the tree: `interpreter` calls the part for each node. `flow` and `loops` expand
   what is known, and `guards` makes the rest conditions of operations.
3. `arithmetic` computes: `values` has the types, `operators` the operators and functions.
4. `gates` replaces a gate with modifiers by standard gates.

For a new statement, add a node, its reader and its runner; a new function goes into `operators`.
"""
