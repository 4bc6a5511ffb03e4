"""Statistics: from one row per model to answers, each with an interval and a p value.

The functions here are pure: a table of models and an `Options` in, a table out.

**Comparisons.** (a) between models of different architectures, (b) between variants of one
architecture, (c) between differently trained models of one variant. (a) and (b) look at the
models of the reference recipe, (c) at all recipes.

**Scopes.** `family`: one family (b) or one variant of it (c). `pooled`: all families together.
`within`: all groups together, metric and quality centred on the means of their group (the
family for b, the variant for c). A group with a single unit says nothing about differences
inside groups and is left out of `within`.

**Orientation.** Qualities are turned so that larger is better: `error` and
`generalization_gap` change sign. The theory expects negative correlations.

**Units.** Models that differ in the seed alone are replicates, not independent evidence:
counting them as such is pseudoreplication (Hurlbert 1984, Ecological Monographs 54). `n` counts
models, `units` counts independent ones: a (variant, recipe) with a seed is one unit, a model
without a seed is its own. Where a group of comparison (c) holds one recipe only, its seeds are
what is compared and each model is a unit. Permutations exchange whole units of equal size and
the seeds inside a unit (Winkler et al. 2015, NeuroImage 123); the bootstrap draws whole units
(Davison and Hinkley 1997, section 3.8). Limits of n below are limits of the *effective number*
`units - groups + 1`; without seeds and groups this is n. `seeds_are_replicates: false` makes
each model a unit.

**Never pooled.** Collections, data sets, quality metrics and weightwatcher versions. Where the same
models are labelled on several data sets, all metrics are set against one of them, and the primary
metric and size against the others.

**Failed fits.** Treatment `dropped` reads the column `<metric>`, `stored` the column
`<metric>_stored`. Where both agree, the row of `stored` repeats that of `dropped`.
"""
