"""Diffusion that knows no network: processes, predictors, correctors, guidance, samplers.

Everything here takes a ``Denoiser``: a function of a noisy image and its noise level that gives
the expected clean image.
"""
