"""The zoo: small networks trained by the pipeline on MNIST-1D.

MNIST-1D (Greydanus 2020, arXiv:2011.14439) is 4,000 training and 1,000 test signals of 40 numbers,
in 10 classes. It is generated from a seed, without a network, and separates architectures within
seconds of training on one core: its paper reports 32 % for logistic regression, 68 % for an MLP and
94 % for a convolutional network.

Nine architectures, of which `networks.build` gives the networks. `width` and `depth` are their size:

    mlp          `depth` hidden layers of `width` units, ReLU
    convnet      a strided stem and `depth` 1 x 3 convolutions, batch norm, ReLU; no pooling inside
    resnet       two stages of `depth` basic blocks (He et al. 2016, arXiv:1512.03385) with `width`
                 and 2 `width` channels
    separable    the convnet with depthwise 1 x 5 and pointwise convolutions in place of its 1 x 3
                 (Howard et al. 2017, arXiv:1704.04861)
    densenet     two dense blocks of `depth` layers that add `width` channels each (Huang et al.
                 2017, arXiv:1608.06993)
    transformer  `depth` pre-norm encoder blocks of `width` features on 7 patches (Vaswani et al.
                 2017, arXiv:1706.03762; Dosovitskiy et al. 2021, arXiv:2010.11929), 4 heads
    mixer        `depth` mixer blocks of `width` channels on 7 patches (Tolstikhin et al. 2021,
                 arXiv:2105.01601)
    recurrent    `depth` layers of `width` gated recurrent units that read 7 patches (Cho et al.
                 2014, arXiv:1406.1078)
    convnext     `depth` ConvNeXt blocks of `width` channels on 7 patches (Liu et al. 2022,
                 arXiv:2201.03545)

What weightwatcher sees in them:

- It takes a layer whose matrix has at least 8 eigenvalues, and misreads the shape of torch's
  Conv1d. So the convolutions here are Conv2d with 1 x k kernels, on signals of shape
  (batch, channels, 1, length).
- A fit with few eigenvalues says little. The widths in the config give most of the layers that it
  takes at least 50; the classifier (10) and the MLP's first layer (40) cannot have more.
- The stem of the convolutional networks, depthwise convolutions, the patch embedding and the
  mixer's token mixing have fewer than 8 eigenvalues: they stay outside alpha.
- It leaves torch's recurrent layers out. So the cells here are made of two linear layers.
- It guesses a layer's type from the name of its class: no class here may have linear, conv1d,
  conv2d, embedding or norm in its name.
"""
