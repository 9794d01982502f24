"""Gates with modifiers (`ctrl`, `negctrl`, `inv`, `pow`), made of standard gates."""
