"""Keras models for the tests, and what another process finds in them on another backend."""

import json
import sys
from importlib.machinery import PathFinder
from pathlib import Path

import numpy as np
import pandas as pd

from atlas.errors import KnownFailure
from atlas.fits import metrics, reference, spectra
from atlas.weights import keras_models
from atlas.weights.store import save

OPTIONS = {"min_evals": 2, "max_evals": 15000, "max_N": 50000}
NUMBERS = ["longname", "layer_id", "layer_type", "N", "M", "rf", "alpha", "spectral_norm"]


def heavy_tailed(model):
    """The model, with seeded weights from Student's t with three degrees of freedom."""
    rng = np.random.default_rng(0)
    for variable in model.weights:
        values = rng.standard_t(3, tuple(variable.shape)) * 0.05
        variable.assign(np.asarray(values, dtype="float32"))
    return model


def odd():
    """One layer of each kind that weightwatcher has a rule of its own for, or leaves out."""
    import keras
    from keras import layers

    keras.utils.clear_session()
    image = layers.Input((32, 32, 3))
    x = layers.Conv2D(16, 3, name="conv")(image)
    x = layers.SeparableConv2D(24, 3, name="separable")(x)
    x = layers.DepthwiseConv2D(3, name="depthwise")(x)
    x = layers.DepthwiseConv2D(2, depth_multiplier=2, name="even_depthwise")(x)
    x = layers.Conv2D(12, 3, padding="same", name="shrinking")(x)
    x = layers.Conv2D(2, 3, padding="same", name="few")(x)
    x = layers.Conv2D(4, 3, padding="same", name="as_wide_as_its_channels")(x)
    x = layers.Conv2D(5, 7, padding="same", name="wider")(x)
    x = layers.Conv2D(40, (1, 5), padding="same", name="flat")(x)
    x = layers.Conv2D(12, 2, padding="same", name="even")(x)
    x = layers.Conv2DTranspose(8, 3, name="transposed")(x)
    x = layers.BatchNormalization(name="norm")(x)
    volume = layers.Reshape((*x.shape[1:], 1), name="volume")(x)
    volume = layers.Conv3D(6, 3, name="conv3d")(volume)
    x = layers.Reshape((-1, 8), name="sequence")(x)
    x = layers.Conv1D(12, 9, strides=9, name="conv1d")(x)
    x = layers.SeparableConv1D(12, 9, name="separable1d")(x)
    x = layers.Dense(32, name="dense")(x)
    x = layers.MultiHeadAttention(4, 8, name="attention")(x, x)
    x = layers.LayerNormalization(name="layer_norm")(x)
    x = layers.EinsumDense("abc,cd->abd", output_shape=(None, 20), name="einsum")(x)
    x = layers.EinsumDense("abc,cde->abde", output_shape=(None, 4, 6), name="heads")(x)
    x = layers.EinsumDense("abde,dec->abc", output_shape=(None, 20), name="joined")(x)
    x = layers.Bidirectional(layers.GRU(16, return_sequences=True, name="gru"), name="both")(x)
    x = layers.LSTM(16, name="lstm")(x)
    inner = keras.Sequential([layers.Input((16,)), layers.Dense(20, name="inside")], name="inner")
    x = layers.Dense(30, name="out")(inner(x))
    words = layers.Input((5,))
    word = layers.Embedding(90, 30, name="embedding")(words)
    return heavy_tailed(keras.Model([image, words], [x, word, volume]))


def mobile():
    import keras

    keras.utils.clear_session()
    return heavy_tailed(keras.applications.MobileNetV2(alpha=0.35, weights=None))


def ours(model, folder, layers="weightwatcher"):
    """Our details, the rows of the spectra and the weights of a model."""
    state, tensors = keras_models.tensors(model)
    path = Path(folder) / "model.safetensors"
    save(path, state, tensors)
    rows, _ = spectra.spectra(path, layers=layers, max_evals=15000, max_N=50000)
    return pd.DataFrame(metrics.details(rows, OPTIONS["min_evals"])), rows, state


def theirs(model):
    """weightwatcher's own details."""
    with keras_models.for_weightwatcher(model) as readable:
        return pd.DataFrame(reference.details(readable, **OPTIONS))


class WithoutTensorFlow(PathFinder):
    """Finds every installed module but TensorFlow."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name.split(".")[0] == "tensorflow":
            return None
        return super().find_spec(name, path, target)


def main(folder):
    """Without TensorFlow: the odd model's weights and weightwatcher's own details of it."""
    sys.meta_path[sys.meta_path.index(PathFinder)] = WithoutTensorFlow
    keras_models.applications()  # the backend is that which is installed
    model = odd()
    mine, _, state = ours(model, folder)
    its = theirs(model)
    np.savez(Path(folder) / "state.npz", **{key: np.asarray(v) for key, v in state.items()})
    try:
        keras_models.build("RegNetX002", pretrained=False)
    except KnownFailure as failure:
        legacy = failure.reason
    found = {
        "backend": sys.modules["keras"].backend.backend(),
        "left": [name for name in sys.modules if name.startswith("tensorflow")],
        "legacy": legacy,
        "mine": mine[NUMBERS].to_dict("records"),
        "its": its[NUMBERS].to_dict("records"),
    }
    (Path(folder) / "found.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])
