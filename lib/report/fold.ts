/** Rows with known answers folded into the metrics of their kind of problem. */

import type { ProblemType } from '../model/config.js';
import type { ClassMetrics, MetricsOf } from '../train/events.js';
import { type MetricsOptions, metricsOf } from './metrics.js';
import { MultiLabelFold } from './multi-label.js';
import { RegressionFold } from './regression.js';
import { ScoredRows } from './scored-rows.js';

export interface Fold<Metrics> {
	/** Rows of one batch: float32[rows * outputs], and their targets as `Examples` has them. */
	add(logits: Float32Array, targets: ArrayLike<number>): void;
	/** Rows so far. */
	readonly rows: number;
	metrics(): Metrics | Promise<Metrics>;
}

/** Decision and loss are those of one label a row only. */
export interface FoldOptions<Problem extends ProblemType> extends MetricsOptions {
	readonly problemType: Problem;
	/** Name of each output. */
	readonly labels: readonly string[];
}

export function foldFor<Problem extends ProblemType>({ problemType, labels, ...options }: FoldOptions<Problem>): Fold<MetricsOf[Problem]> {
	const folds: { readonly [Each in ProblemType]: () => Fold<MetricsOf[Each]> } = {
		single_label_classification: () => new ClassFold(labels, options),
		multi_label_classification: () => new MultiLabelFold(labels),
		regression: () => new RegressionFold(),
	};
	return folds[problemType]();
}

/** One label a row: all rows are kept, for ranking needs them. */
class ClassFold implements Fold<ClassMetrics> {
	readonly #scored: ScoredRows;
	readonly #labels: readonly string[];
	readonly #options: MetricsOptions;

	constructor(labels: readonly string[], options: MetricsOptions) {
		this.#scored = new ScoredRows(labels.length);
		this.#labels = labels;
		this.#options = options;
	}

	add(logits: Float32Array, targets: ArrayLike<number>): void {
		this.#scored.add(logits, targets);
	}

	get rows(): number {
		return this.#scored.length;
	}

	metrics(): Promise<ClassMetrics> {
		return metricsOf(this.#scored, this.#labels, this.#options);
	}
}
