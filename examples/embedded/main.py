"""The help desk put together, with a model that runs on this machine."""

from __future__ import annotations

import sys

from adapters.model_reader import ModelReader
from domain.ticket import Ticket

from modelport import compose, with_rate_limit, with_retry
from modelport.adapters import OpenVINOModel

if __name__ == "__main__":
    model = compose(OpenVINOModel("default"), with_rate_limit(600), with_retry())
    print(Ticket(" ".join(sys.argv[1:])).urgency(ModelReader(model)).value)
