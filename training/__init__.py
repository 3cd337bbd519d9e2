"""How the weights were made: ``pairs``, then ``train``, then ``export``."""
