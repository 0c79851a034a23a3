"""From the tables of KPU's systems to election definitions; every wrong row is told."""
