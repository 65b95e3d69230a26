"""tagger: themes for government press releases, with probabilities and the evidence for each.

Imports go downwards only; import-linter checks it (see pyproject.toml).

    cli                                one subcommand per use case; heavy imports inside the command
    service                            HTTP <-> use cases; the only place for fastapi, starlette, uvicorn
    ------------------------------------------------------------------------------ interfaces
    training | archive | seeding       seeds -> new version | archive -> tags, resumable | pages -> seeds
    ------------------------------------------------------------------------------ use cases
    tagging | validation               Tagger: document(s) -> tags | held-out scores, and what is chosen by them
    registry                           the versions in models/ and which one is live
    ------------------------------------------------------------------------------ the product
    model                              one scikit-learn estimator: fit(texts, theme sets), decision_function(texts)
    ------------------------------------------------------------------------------ the learned thing
    corpus | folds | classifiers | thresholds | decisions | evidence | evaluation
    features                           texts -> tf-idf blocks and card scores, as scikit-learn transformers
    scorer                             the compiled form of a fitted model: plain arrays, no pickle
    ------------------------------------------------------------------------------ its parts
    readers                            one module per format, a table READERS; failures are yielded
    releases                           pages -> releases: cut, strip boilerplate, find title, date, office
    ------------------------------------------------------------------------------ input
    documents | cleaning | themes | settings
    errors
"""
