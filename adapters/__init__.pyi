from .anthropic.model import AnthropicModel as AnthropicModel
from .bedrock.model import (
    AmazonBedrockModel as AmazonBedrockModel,
    AmazonBedrockServerModel as AmazonBedrockServerModel,
)
from .function import FunctionModel as FunctionModel, from_function as from_function
from .gemini.model import GeminiModel as GeminiModel
from .http.bounds import Bounds as Bounds
from .http.http_transport import HttpTransport as HttpTransport
from .huggingface.model import InferenceClientModel as InferenceClientModel
from .litellm.model import LiteLLMModel as LiteLLMModel
from .litellm.router import LiteLLMRouterModel as LiteLLMRouterModel
from .mlx.model import MLXModel as MLXModel
from .openai.azure import AzureOpenAIModel as AzureOpenAIModel, AzureOpenAIServerModel as AzureOpenAIServerModel
from .openai.compatible import compatible as compatible
from .openai.model import OpenAIModel as OpenAIModel, OpenAIServerModel as OpenAIServerModel
from .openai.responses.model import OpenAIResponsesModel as OpenAIResponsesModel
from .openai.server import Server as Server
from .openai.servers import SERVERS as SERVERS
from .openvino.model import OpenVINOModel as OpenVINOModel
from .process.calling import Calling as Calling
from .process.inside import LibraryChanged as LibraryChanged
from .scripted import Break as Break, ScriptedModel as ScriptedModel, Stall as Stall
from .transformers.model import TransformersModel as TransformersModel
from .vllm.model import VLLMModel as VLLMModel
