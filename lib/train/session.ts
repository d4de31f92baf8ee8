/** What the engine is opened with: a run's options in its own terms. */
import type { ModelConfig, ProblemType } from '../model/config.js';
import type { LossOptions, SessionOptions } from '../runtime/native.js';

export interface SessionSettings {
	readonly problemType: ProblemType;
	readonly compat: '5' | '4.18';
	readonly optim: 'adamw_torch' | 'adamw_hf';
	readonly seed: number;
	readonly labelSmoothingFactor: number;
	readonly adamBeta1: number;
	readonly adamBeta2: number;
	readonly adamEpsilon: number;
	readonly weightDecay: number;
	readonly maxGradNorm: number;
	readonly threads: number;
}

const lossKinds: Readonly<Record<ProblemType, LossOptions['kind']>> = {
	single_label_classification: 'single_label',
	multi_label_classification: 'multi_label',
	regression: 'regression',
};

/** `weights`: path of the model's tensors; `classWeights`: one a label, or none for 1 each. */
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
		loss: { kind: lossKinds[settings.problemType], labelSmoothing: settings.labelSmoothingFactor, ...(classWeights && { classWeights }) },
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
	};
}
