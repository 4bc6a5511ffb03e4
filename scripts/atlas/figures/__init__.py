"""The figures: tables in, a matplotlib figure out, at the size at which it is printed.

Every figure is a pure function of the tables that it shows. A table without rows,
a metric without values, one family or two hundred: each gives a figure, and where something cannot
be shown, the figure says in words why. Equal tables give equal bytes (`style.save`).

Sizes are final sizes: text is 6 to 8 pt in print. Colours are those of Okabe and Ito (2008), which
colour-blind readers tell apart, and no meaning rests on colour alone: families have markers of
their own. Correlations are never computed here but read from the tables of the statistics.
"""
