"""Statistics: from one row per model to answers, each with an interval and a p value.

The functions here are pure: a table of models and an `Options` in, a table out.

**Comparisons.** (a) between models of different architectures, (b) between variants of one
architecture, (c) between differently trained models of one variant. (a) and (b) look at the
models of the reference recipe, (c) at all recipes.

**Scopes.** `family`: one family (b) or one variant of it (c). `families`: the means of the families
(a); `pooled`: their models, as if those of one family did not resemble each other. `within`: all
groups together, metric and quality centred on the means of their group (the family for b, the
variant for c). A group with a single unit says nothing about differences inside groups and is left
out of `within`.

**Orientation.** Qualities are turned so that larger is better: `error` and
`generalization_gap` change sign. The theory expects negative correlations.

**Units.** Models that differ in the seed alone are replicates, not independent evidence: counting
them as such is pseudoreplication (Hurlbert 1984, Ecological Monographs 54). They are averaged first:
`n` counts models, `units` what they are averaged to, a (variant, recipe) with a seed, a model without
one, or in `families` a family. Where a group of comparison (c) holds one recipe only, its seeds are
what is compared and each model is a unit. In (c) recipes recur in all variants and act alike in them,
so rearrangements exchange whole recipes (Winkler et al. 2015, NeuroImage 123) and the jackknife leaves
them out as a whole. Limits of n below are limits of the *effective number*: what is exchanged, less
the degrees of freedom that centring takes. `seeds_are_replicates: false` makes each model a unit.

**Never pooled.** Collections, data sets, quality metrics and weightwatcher versions. Where the same
models are labelled on several data sets, all metrics are set against one of them, and the primary
metric and size against the others.

**Failed fits.** Treatment `dropped` reads the column `<metric>`, `stored` the column
`<metric>_stored`. Where both agree, the row of `stored` repeats that of `dropped`.
"""
