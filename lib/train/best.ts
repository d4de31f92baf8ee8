/** Which evaluation was the best, and whether waiting for a better one is still worth it. */
import { ConfigError } from '../errors.js';
import type { Evaluation } from './events.js';

export interface EarlyStopping {
	/** Evaluations in a row without a gain after which the run ends; from 1 up. */
	readonly patience: number;
	/** A gain is more than this. @default 0 */
	readonly minDelta?: number;
}

export interface BestOptions {
	/** Name of the metric the run goes by; undefined where it goes by none. */
	readonly metricForBestModel: string | undefined;
	readonly greaterIsBetter: boolean;
	readonly earlyStopping: EarlyStopping | undefined;
}

export interface BestState {
	readonly best: { readonly value: number; readonly step: number } | null;
	/** Evaluations in a row without a gain. */
	readonly withoutGain: number;
}

export class Best {
	readonly #options: BestOptions;
	#best: BestState['best'] = null;
	#withoutGain = 0;

	/** Goes on from `state`, where one is given. */
	constructor(options: BestOptions, state?: BestState) {
		this.#options = options;
		if (state === undefined) return;
		this.#best = state.best;
		this.#withoutGain = state.withoutGain;
	}

	get state(): BestState {
		return { best: this.#best, withoutGain: this.#withoutGain };
	}

	/** Whether patience is at its end. */
	get exhausted(): boolean {
		const { earlyStopping } = this.#options;
		return earlyStopping !== undefined && this.#withoutGain >= earlyStopping.patience;
	}

	/**
	 * Whether this evaluation is the best so far. A gain for patience is one of more than `minDelta` over the best before it, as in
	 * Transformers 5.23 (trainer.py, _determine_best_metric; EarlyStoppingCallback); what is no number is never better.
	 * Throws ConfigError METRIC_UNKNOWN.
	 */
	add({ metrics, step }: Pick<Evaluation, 'metrics' | 'step'>): boolean {
		const { metricForBestModel, greaterIsBetter, earlyStopping } = this.#options;
		if (metricForBestModel === undefined) return false;
		const value = metricNamed(metricForBestModel, metrics);
		const before = this.#best?.value ?? (greaterIsBetter ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY);
		const better = greaterIsBetter ? value > before : value < before;
		const gain = better && (this.#best === null || Math.abs(value - before) > (earlyStopping?.minDelta ?? 0));
		this.#withoutGain = gain ? 0 : this.#withoutGain + 1;
		if (better) this.#best = { value, step };
		return better;
	}
}

/** NaN where the metric is undefined for these rows. */
function metricNamed(name: string, metrics: object): number {
	const key = name.replace(/^eval_/, '');
	const value = Object.hasOwn(metrics, key) ? (metrics as Record<string, unknown>)[key] : undefined;
	if (typeof value === 'number') return value;
	if (value === null) return Number.NaN;
	const names = Object.entries(metrics).flatMap(([each, number]) => (typeof number === 'number' || number === null ? [each] : []));
	throw new ConfigError('METRIC_UNKNOWN', `Expected \`metricForBestModel\` to be one of ${names.join(', ')}, got ${JSON.stringify(name)}`);
}
