"""How well the program reads: data sets, what was seen, figures with bounds, report and plots. `make evaluate`."""
