"""`hft completion`: the script that makes a shell complete verbs, options and the hosts of the site."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from hft.errors import Exit, HftError
from transport.show import tell

SHELLS = ("bash", "fish", "zsh")
VARIABLE = "_HFT_COMPLETE"


@click.command(
    epilog="""\b
Examples:
  hft completion bash >~/.local/share/bash-completion/completions/hft
  hft completion zsh >"${fpath[1]}/_hft"
  hft completion fish >~/.config/fish/completions/hft.fish
"""
)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(shell: str) -> int:
    """Print the completion script of SHELL: verbs, options, host names, words of --limit."""
    found = get_completion_class(shell)
    if found is None:
        raise HftError(Exit.INTERNAL, f"click knows no completion for {shell}")
    template = found.source_template
    name = f"_hft_completion_{shell}"
    text = template % {"complete_func": name, "complete_var": VARIABLE, "prog_name": "hft"}
    for line in text.strip("\n").splitlines():
        tell(line)
    return Exit.OK
