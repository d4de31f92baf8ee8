/** What the engine is opened with: a run's options in its own terms. */
import { ConfigError } from '../errors.js';
import type { ModelConfig, ProblemType } from '../model/config.js';
import type { LossOptions, SessionOptions, TrainingDtype } from '../runtime/native.js';

/** What is left as it is: nothing, the embeddings, they and so many layers from below, or all but the head. */
export type Freeze = 'none' | 'embeddings' | 'encoder' | number;

export interface SessionSettings {
	readonly problemType: ProblemType;
	readonly compat: '5' | '4.18';
	readonly optim: 'adamw_torch' | 'adamw_hf';
	readonly seed: number;
	readonly labelSmoothingFactor: number;
	readonly focalGamma: number;
	readonly freeze: Freeze;
	readonly adamBeta1: number;
	readonly adamBeta2: number;
	readonly adamEpsilon: number;
	readonly weightDecay: number;
	readonly maxGradNorm: number;
	readonly threads: number;
	readonly dtype: TrainingDtype;
}

const lossKinds: Readonly<Record<ProblemType, LossOptions['kind']>> = {
	single_label_classification: 'single_label',
	multi_label_classification: 'multi_label',
	regression: 'regression',
};

/** `weights`: path of the model's tensors; `classWeights`: one a label, or none for 1 each. Throws ConfigError where `freeze` is more than the model has. */
export function sessionOptions(
	weights: string,
	model: ModelConfig,
	settings: SessionSettings,
	classWeights: readonly number[] | undefined,
): SessionOptions {
	return {
		weights,
		shape: model.shape,
		dropout: model.dropout,
		attentionDropout: model.attentionDropout,
		classifierDropout: model.classifierDropout,
		initializerRange: model.initializerRange,
		seed: settings.seed,
		headDraws: settings.compat === '5' ? 'first' : 'afterConstructors',
		loss: {
			kind: lossKinds[settings.problemType],
			labelSmoothing: settings.labelSmoothingFactor,
			focalGamma: settings.focalGamma,
			...(classWeights && { classWeights }),
		},
		frozen: frozenOf(settings.freeze, model.shape.layers),
		optimizer: {
			flavor: settings.optim,
			beta1: settings.adamBeta1,
			beta2: settings.adamBeta2,
			epsilon: settings.adamEpsilon,
			weightDecay: settings.weightDecay,
			maxGradNorm: settings.maxGradNorm,
		},
		threads: settings.threads,
		ops: 'cpu',
		dtype: settings.dtype,
	};
}

function frozenOf(freeze: Freeze, layers: number): SessionOptions['frozen'] {
	if (freeze === 'none') return undefined;
	const count = freeze === 'embeddings' ? 0 : freeze === 'encoder' ? layers : freeze;
	if (count <= layers) return { layers: count };
	throw new ConfigError('OPTIONS_INVALID', `Expected \`freeze\` to be at most ${layers}, the layers of this model, got ${count}`);
}
