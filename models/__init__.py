"""The model: its columns, network, forest, training and export.

Terms, used in this sense everywhere:

- *Columns* are the input of network and forest: the 28 published features, or the columns that
  ``models.physics`` derives from them.
- The *network* is the wide-and-deep neural network over the columns.
- The *forest* is a set of boosted trees over the same columns.
- The *model* is what is exported: columns, network and forest, whose logits are blended.
"""
