"""tagger: themes for government press releases, with probabilities and the evidence for each.

Imports go downwards only; import-linter checks it (see pyproject.toml).

    cli                                one subcommand per use case; heavy imports inside the command
    service                            HTTP <-> use cases; the only place for fastapi, starlette, uvicorn
    ------------------------------------------------------------------------------ interfaces
    jobs                               trainings and comparisons that a service is asked for, one after another
    differences                        two versions on an archive: what changed, and why
    training | archive | seeding       seeds -> new version | archive -> tags, resumable | pages -> seeds
    assessment                         a version on labelled documents: figures, worst errors
    doctor | doubts | proposals        themes that look wrong | seeds that do | themes that are missing
    drift                              what a version sees now, beside what it was trained on
    ------------------------------------------------------------------------------ use cases
    page | reporting                   an assessment as a web page | what training found
    promotion                          whether a version may go live: themes' F1, pins
    checked | rewriting                what people found right as it is | one seed changed in its file
    tagging                            Tagger: document(s) -> tags
    rules | selection                  held-out scores -> decision rule, promises, domain | -> recipe, within a budget
    validation                         scores of texts by models that did not see them
    registry                           the versions in models/ and which one is live
    ------------------------------------------------------------------------------ the product
    model                              one scikit-learn estimator: fit(texts, theme sets), decision_function(texts)
    ------------------------------------------------------------------------------ the learned thing
    corpus | folds | classifiers | thresholds | promises | calibration | evaluation | plots
    counterfactuals | domain | heldout | language | teachers | observations
    counts                             texts counted once, for the features of any part of them
    decisions | evidence | intervals | places | pins | saved
    features                           texts -> tf-idf blocks and card scores, as scikit-learn transformers
    scorer                             the compiled form of a fitted model: plain arrays, no pickle
    engine                             compiled.pyx, where there was a C compiler: scoring, and the classifiers' fits
    ------------------------------------------------------------------------------ its parts
    readers                            one module per format, a table READERS; failures are yielded
    releases                           pages -> releases: cut, strip boilerplate, find title, date, office
    ------------------------------------------------------------------------------ input
    keys | signing                     who may ask the service for what | versions signed with a key
    documents | cleaning | sentences | themes | files | settings | tables
    errors
"""
