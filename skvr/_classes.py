"""Labels and class weights, for both classifiers."""

import numpy as np
from sklearn.utils.class_weight import compute_class_weight


def label(value):
    """Return a class as the user wrote it, for a message."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def encode_classes(y, sample_weight, class_weight):
    """Return the classes of y, the class number of each row, and the sample weights times the class weights.

    Raises
    ------
    ValueError
        If a class has no positive weight, or a class weight is negative or not finite.
    """
    classes, codes = np.unique(y, return_inverse=True)
    weight = sample_weight * _class_weights(classes, codes, y, sample_weight, class_weight)[codes]
    per_class = np.bincount(codes, weights=weight, minlength=len(classes))
    if not np.all(per_class > 0):
        missing = classes[int(np.flatnonzero(~(per_class > 0))[0])]
        raise ValueError(
            f"Class {label(missing)} has no row of positive weight. Remove its rows from X and y, or give one a "
            "positive sample_weight and the class a positive class_weight."
        )
    return classes, codes, weight


def _class_weights(classes, codes, y, sample_weight, class_weight):
    if isinstance(class_weight, str) and class_weight == "balanced":
        # The weight seen of each class, not its number of rows: weighted and repeated rows then agree.
        per_class = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        return np.divide(sample_weight.sum() / len(classes), per_class, out=np.zeros(len(classes)), where=per_class > 0)
    weights = compute_class_weight(class_weight, classes=classes, y=y)
    if not (np.all(np.isfinite(weights)) and np.all(weights >= 0)):
        raise ValueError(f"class_weight must hold finite numbers >= 0, got {class_weight!r}.")
    return weights
