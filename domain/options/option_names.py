"""Who takes which options, by name: what every model is told the same way, and what its provider or runtime adds.

What isn't here is refused where it is said, so that a misspelt option isn't sent in silence. What a provider takes
beyond this goes into `extra_body={...}`. Tests hold these tables against the libraries that are installed.
"""

from __future__ import annotations

from typing import Final


def names(text: str) -> frozenset[str]:
    """The names in a text."""
    return frozenset(text.split())


EVERYWHERE: Final = names("""
        frequency_penalty grammar logit_bias logprobs max_tokens min_p presence_penalty repetition_penalty seed
        temperature top_k top_logprobs top_p
    """)
"""What is called the same whoever takes it; not every model takes all of them."""

BESIDE: Final = names("extra_body extra_headers extra_query timeout")
"""What goes beside the question, and what passes into it untouched."""

RESERVED: Final = names(
    "messages response_format stop stopSequences stop_sequences stop_strings stream tool_choice tools"
)
"""Fields of the request: as options they would go behind the domain's back."""

CHAT: Final = (
    EVERYWHERE
    | BESIDE
    # OpenAI: the arguments of its SDK's `chat.completions.create`
    | names("""
        audio metadata modalities moderation parallel_tool_calls prediction prompt_cache_key
        prompt_cache_options prompt_cache_retention reasoning_effort safety_identifier service_tier store
        stream_options user verbosity web_search_options
    """)
    # Servers and gateways that speak like it: vLLM, SGLang, llama.cpp, Ollama, TGI
    | names("""
        add_generation_prompt add_special_tokens bad_words cache_prompt chat_template chat_template_kwargs
        continue_final_message documents echo ignore_eos include_stop_str_in_output keep_alive length_penalty
        logits_processors lora_path min_tokens mirostat mirostat_eta mirostat_tau mm_processor_kwargs num_ctx
        num_predict priority prompt_logprobs regex return_token_ids return_tokens_as_token_ids
        separate_reasoning skip_special_tokens spaces_between_special_tokens stop_token_ids structured_outputs
        think thinking_token_budget tool_prompt truncate_prompt_tokens typical_p use_beam_search xtc_probability
        xtc_threshold
    """)
    # OpenRouter, DeepSeek, Mistral, xAI, Groq, Together, Perplexity
    | names("""
        citations deferred include_reasoning models plugins prompt_mode reasoning reasoning_format return_images
        route safe_prompt search_domain_filter search_parameters search_recency_filter thinking top_a transforms
        usage
    """)
)
"""The chat-completions wire, whoever speaks it."""

ANTHROPIC: Final = (
    EVERYWHERE
    | BESIDE
    # Anthropic: the arguments of `messages.create` and `beta.messages.create` of its SDK, of which some are headers
    | names("""
        betas billing_policy cache_control compaction container context_management diagnostics
        fallback_credit_token fallbacks inference_geo mcp_servers metadata output_config parallel_tool_calls
        reasoning_effort service_tier speed thinking thread user_profile_id workspace_id
    """)
)
"""Anthropic's Messages API, whoever speaks it."""

RESPONSES: Final = (
    EVERYWHERE
    | BESIDE
    # The arguments of `responses.create` of OpenAI's SDK, but for what a request or another option says
    | names("""
        access_programs context_management conversation include max_tool_calls metadata moderation parallel_tool_calls
        previous_response_id prompt_cache_key prompt_cache_options prompt_cache_retention reasoning reasoning_effort
        safety_identifier service_tier store stream_options truncation user verbosity
    """)
)
"""OpenAI's Responses API."""

LITELLM: Final = CHAT | names("""
        additional_drop_params allowed_openai_params api_version aws_access_key_id aws_bedrock_runtime_endpoint
        aws_external_id aws_profile_name aws_region_name aws_role_name aws_secret_access_key aws_session_name
        aws_session_token aws_sts_endpoint aws_web_identity_token azure_ad_token azure_ad_token_provider caching
        client_id client_secret context_management custom_llm_provider custom_prompt_dict deployment_id
        drop_params enable_json_schema_validation hf_model_name include_server_side_tool_invocations
        input_cost_per_token litellm_call_id litellm_credential_name litellm_metadata litellm_session_id
        litellm_trace_id merge_reasoning_content_in_choices mock_response mock_timeout no-log organization
        output_cost_per_token provider_specific_header region_name shared_session ssl_verify stream_timeout
        supports_system_message tags tenant_id use_litellm_proxy vertex_credentials vertex_location
        vertex_project watsonx_region_name
    """)
"""What `litellm.acompletion` takes; it hands on to a provider what it doesn't know itself."""

BEDROCK: Final = (
    EVERYWHERE
    | names("extra_body timeout")
    # Converse's own members, but for those that a request is written into
    | names("""
        additionalModelRequestFields additionalModelResponseFieldPaths guardrailConfig inferenceConfig
        outputConfig performanceConfig promptVariables requestMetadata serviceTier toolConfig
    """)
    # Of the models: Anthropic, Nova, Cohere, Mistral, gpt-oss
    | names("""
        anthropic_beta documents effort k output_config p reasoningConfig reasoning_config reasoning_effort
        safe_prompt thinking
    """)
)
"""Amazon Bedrock's Converse, and the models behind it."""

GEMINI: Final = (
    EVERYWHERE
    | BESIDE
    | names("reasoning_effort")
    # generateContent's own members, and those of its `generationConfig`
    | names("""
        audioTimestamp cachedContent enableEnhancedCivicAnswers generationConfig imageConfig labels mediaResolution
        modelArmorConfig responseModalities safetySettings serviceTier speechConfig store thinkingConfig toolConfig
    """)
)
"""Google's generateContent, of the Gemini API and of Vertex AI."""

TRANSFORMERS: Final = (
    EVERYWHERE
    | names("extra_body")
    # `GenerationConfig`, but for what makes several answers of one, or another kind of answer
    | names("""
        assistant_confidence_threshold assistant_early_exit assistant_ensemble_weight assistant_lookbehind
        bad_words_ids begin_suppress_tokens bos_token_id cache_config cache_implementation compile_config
        constraints continuous_batching_config decoder_start_token_id disable_compile diversity_penalty
        do_sample dola_layers early_stopping encoder_no_repeat_ngram_size encoder_repetition_penalty
        eos_token_id epsilon_cutoff eta_cutoff exponential_decay_length_penalty force_words_ids
        forced_bos_token_id forced_eos_token_id guidance_scale is_assistant length_penalty low_memory
        max_cache_len max_length max_matching_ngram_size max_time min_length min_new_tokens no_repeat_ngram_size
        num_assistant_tokens num_assistant_tokens_schedule num_beam_groups num_beams num_return_sequences
        output_attentions output_hidden_states output_logits output_scores pad_token_id penalty_alpha
        prefill_chunk_size prompt_lookup_num_tokens remove_invalid_values renormalize_logits
        return_dict_in_generate sequence_bias speculation_type suppress_tokens target_lookbehind token_healing
        top_h typical_p use_cache use_mtp watermarking_config
    """)
    # `generate` itself
    | names("""
        assistant_model custom_generate generation_config logits_processor negative_prompt_attention_mask
        negative_prompt_ids prefix_allowed_tokens_fn stopping_criteria synced_gpus
    """)
)
"""`generate` of transformers."""

VLLM: Final = EVERYWHERE | names("""
        extra_body allowed_token_ids bad_words extra_args ignore_eos logprob_token_ids lora_request min_tokens priority
        prompt_logprob_start prompt_logprob_token_ids prompt_logprobs repetition_detection
        routed_experts_prompt_start skip_reading_prefix_cache skip_special_tokens spaces_between_special_tokens
        stop_token_ids thinking_token_budget trace_decode_token_ids watermarking
    """)
"""vLLM's `SamplingParams`, and what its `generate` takes besides."""

OPENVINO: Final = EVERYWHERE | names("""
        extra_body adapters apply_chat_template branching_factor diversity_penalty do_sample eos_token_id ignore_eos
        length_penalty max_length max_ngram_size min_new_tokens no_repeat_ngram_size num_assistant_tokens
        num_beam_groups num_beams parsers pruning_ratio relevance_weight return_omni_outputs rng_seed
        stop_criteria stop_token_ids tree_depth
    """)
"""`GenerationConfig` of OpenVINO GenAI."""

MLX: Final = EVERYWHERE | names("""
        extra_body frequency_context_size kv_bits kv_group_size logits_processors max_kv_size min_tokens_to_keep
        prefill_step_size presence_context_size prompt_progress_callback quantized_kv_start
        repetition_context_size sampler xtc_probability xtc_special_tokens xtc_threshold
    """)
"""What mlx-lm's `stream_generate` takes, and how its samplers are made."""

KNOWN: Final = ANTHROPIC | CHAT | RESPONSES | LITELLM | BEDROCK | GEMINI | TRANSFORMERS | VLLM | OPENVINO | MLX
"""What a call may name: some model takes it."""
