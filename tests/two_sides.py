"""Real and synthetic users, twenty each, who write differently, and every discriminator that tells them apart."""

from talks import said

from discriminators.behaviour_boost import BehaviourBoost
from discriminators.embedding import EmbeddingLogistic
from discriminators.head_logistic import HeadLogistic
from discriminators.ngram import NgramLogistic

ALL = {
    "ngram": NgramLogistic(),
    "embedding": EmbeddingLogistic(),
    "heads": HeadLogistic(),
    "behaviour": BehaviourBoost(),
}
REAL = [said(f"r{i}", f"haha yeah number {i}", "idk maybe?") for i in range(20)]
SYNTHETIC = [said(f"s{i // 2}", f"That is a delightful thought about {i}", "I certainly agree") for i in range(20)]
