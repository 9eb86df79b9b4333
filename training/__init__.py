"""From rules and instruction data to a core, and its measured quality."""
