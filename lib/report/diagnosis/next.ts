/** Next moves that several findings share. */
import type { RunView } from './view.js';

/** The rate fine-tuning usually begins at. */
export const usualRate = 5e-5;

/** Trains again at the usual rate, or at a quarter of one that is near it. */
export function gentlerRate(run: RunView): string {
	const rate = run.learningRate >= 4 * usualRate ? usualRate : run.learningRate / 4;
	return run.again({ learningRate: rate, ...(run.config.maxGradNorm === 0 && { maxGradNorm: 1 }) });
}

/** Trains again from a model as it was published. */
export const soundModel = (run: RunView): string => run.again({ model: run.config.model === 'minilm-l6' ? 'distilbert-base-uncased' : 'minilm-l6' });
