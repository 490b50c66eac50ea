from .bedrock.model import (
    AmazonBedrockModel as AmazonBedrockModel,
)
from .bedrock.model import (
    AmazonBedrockServerModel as AmazonBedrockServerModel,
)
from .function import (
    FunctionModel as FunctionModel,
)
from .function import (
    from_function as from_function,
)
from .huggingface.model import InferenceClientModel as InferenceClientModel
from .litellm.model import LiteLLMModel as LiteLLMModel
from .litellm.router import LiteLLMRouterModel as LiteLLMRouterModel
from .mlx.model import MLXModel as MLXModel
from .openai.azure import (
    AzureOpenAIModel as AzureOpenAIModel,
)
from .openai.azure import (
    AzureOpenAIServerModel as AzureOpenAIServerModel,
)
from .openai.model import (
    OpenAIModel as OpenAIModel,
)
from .openai.model import (
    OpenAIServerModel as OpenAIServerModel,
)
from .openvino.model import OpenVINOModel as OpenVINOModel
from .scripted import (
    Break as Break,
)
from .scripted import (
    ScriptedModel as ScriptedModel,
)
from .scripted import (
    Stall as Stall,
)
from .transformers.model import TransformersModel as TransformersModel
from .vllm.model import VLLMModel as VLLMModel
