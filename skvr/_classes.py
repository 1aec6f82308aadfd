"""What both classifiers share: labels, class weights, the class of a raw prediction."""

import numpy as np
from sklearn.base import ClassifierMixin
from sklearn.utils._unique import attach_unique, cached_unique
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import _check_partial_fit_first_call, check_classification_targets

from skvr._validation import FLOAT64, check_number, check_sample_weight, check_total_weight


class LinearClassifierMixin(ClassifierMixin):
    """Labels in, labels out; needs `_validate_rows` and `_raw_prediction` of `FiniteSumEstimator`."""

    def _validate_classes(self, X, y, sample_weight):
        """Return X, the classes, the class number and the weight of each row, class weights included."""
        X, y = self._validate_rows(X, y)
        if y.dtype.kind != "O" or isinstance(y[0], str):  # sorted once for all; other objects may not be
            y = attach_unique(y)
        check_classification_targets(y)
        sample_weight = check_sample_weight(sample_weight, X)
        classes, codes, weight = encode_classes(y, sample_weight, self.class_weight)
        if len(classes) < 2:
            raise ValueError(
                f"{type(self).__name__} needs samples of at least 2 classes, but y holds one class: "
                f"{label(classes[0])}."
            )
        return X, classes, codes, weight

    def _validate_chunk(self, X, y, classes, sample_weight):
        """Return X, the class number and the weight of each row of a chunk; sets `classes_` in the first call."""
        if isinstance(self.class_weight, str):
            raise ValueError(
                f"class_weight={self.class_weight!r} needs all rows at once. Pass partial_fit a dict of weights, or "
                "sample_weight."
            )
        first = _check_partial_fit_first_call(self, classes)
        X, y = self._validate_rows(X, y, reset=first)
        check_classification_targets(y)
        if len(self.classes_) < 2:
            raise ValueError(f"{type(self).__name__} needs at least 2 classes, got classes={self.classes_!r}.")
        codes = class_codes(y, self.classes_, "not one of the classes of the first call")
        sample_weight = check_sample_weight(sample_weight, X)
        sample_weight = weigh_classes(sample_weight, codes, self.classes_, self.classes_, self.class_weight)
        if not np.any(sample_weight > 0):
            raise ValueError("sample_weight times class_weight is zero for every row of the chunk.")
        return X, codes, sample_weight

    def decision_function(self, X):
        """Return the raw predictions x . w + b.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,) or (n_samples, n_classes)
            One column for two classes: positive means `classes_[1]`.
        """
        scores = self._raw_prediction(X)
        return scores.ravel() if len(self.classes_) == 2 else scores

    def predict(self, X):
        """Return the class with the largest raw prediction.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The rows.

        Returns
        -------
        ndarray of shape (n_samples,)
            Labels.
        """
        scores = self.decision_function(X)
        return self.classes_[(scores > 0).astype(int) if scores.ndim == 1 else scores.argmax(axis=1)]


def label(value):
    """Return a class as the user wrote it, for a message."""
    return repr(value.item() if isinstance(value, np.generic) else value)


def class_codes(y, classes, unknown):
    """Return the number of each label among the classes; raise ValueError where one is `unknown`, in words."""
    others = np.setdiff1d(y, classes)
    if len(others):
        known = ", ".join(map(label, classes))
        raise ValueError(f"y holds the label {label(others[0])}, which is {unknown}: [{known}].")
    return np.searchsorted(classes, y)


def indicators(codes, classes):
    """Return the labels -1 and 1 of each class number: one column for two classes, else one a class."""
    own = codes[:, None] == np.arange(len(classes))
    return np.where(own[:, 1:] if len(classes) == 2 else own, 1.0, -1.0)


def encode_classes(y, sample_weight, class_weight):
    """Return the classes of y, the class number of each row, and the sample weights times the class weights.

    Raises
    ------
    ValueError
        If a class has no positive weight, or a class weight is negative or not finite.
    """
    classes = cached_unique(attach_unique(y))
    codes = (y == classes[1]).astype(np.intp) if len(classes) == 2 else np.searchsorted(classes, y)
    weight = weigh_classes(sample_weight, codes, classes, y, class_weight)
    per_class = np.bincount(codes, weights=weight, minlength=len(classes))
    if not np.all(per_class > 0):
        missing = classes[int(np.flatnonzero(~(per_class > 0))[0])]
        raise ValueError(
            f"Class {label(missing)} has no row of positive weight. Remove its rows from X and y, or give one a "
            "positive sample_weight and the class a positive class_weight."
        )
    lightest = per_class.argmin()
    if per_class[lightest] < FLOAT64.tiny * per_class.max():
        raise ValueError(
            f"The rows of class {label(classes[lightest])} weigh {per_class[lightest]:g}, which is nothing in float64 "
            f"beside the {per_class.max():g} of another class. Leave them out, or make their sample_weight larger."
        )
    return classes, codes, weight


def weigh_classes(sample_weight, codes, classes, y, class_weight):
    """Return the sample weights times those of the classes, of which `codes` are the numbers: the same without any."""
    if class_weight is None:
        return sample_weight
    of_class = class_weights(classes, codes, y, sample_weight, class_weight)
    with np.errstate(over="ignore"):
        weight = sample_weight * of_class[codes]
    if np.any(weight > 0):
        check_total_weight("sample_weight times class_weight", weight)
    return weight


def class_weights(classes, codes, y, sample_weight, class_weight):
    """Return the weight of each class, shape (n_classes,)."""
    if isinstance(class_weight, str) and class_weight == "balanced":
        # The weight seen of each class, not its number of rows: weighted and repeated rows then agree.
        per_class = np.bincount(codes, weights=sample_weight, minlength=len(classes))
        return np.divide(sample_weight.sum() / len(classes), per_class, out=np.zeros(len(classes)), where=per_class > 0)
    if isinstance(class_weight, dict):
        for name, weight in class_weight.items():
            check_number(f"class_weight[{label(name)}]", weight, low=0)
    return compute_class_weight(class_weight, classes=classes, y=y)
