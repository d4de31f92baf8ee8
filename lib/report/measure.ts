/** A model measured on rows, batch by batch. */
import type { ProblemType } from '../model/config.js';
import type { NativeSession } from '../runtime/native.js';
import type { Measured, Metrics } from '../train/events.js';
import { type Examples, pack, rowsOf } from '../train/examples.js';
import { type ComputeMetrics, withCustomMetrics } from './custom-metrics.js';
import { foldFor } from './fold.js';

export interface MeasureOptions {
	readonly session: Pick<NativeSession, 'logits'>;
	readonly problemType: ProblemType;
	readonly labels: readonly string[];
	/** Those of training: Transformers' eval_loss is smoothed too. */
	readonly labelSmoothing: number;
	readonly focalGamma: number;
	readonly computeMetrics: ComputeMetrics | undefined;
	/** Told what became of `computeMetrics`. */
	readonly warn: (code: string, message: string) => void;
	/** Rows of one batch; no result depends on it. */
	readonly batchSize: number;
	/** Asked before every batch. */
	readonly stopped: () => boolean;
}

/** Undefined where it was stopped. */
export async function measure(examples: Examples, options: MeasureOptions): Promise<Measured | undefined> {
	const { session, labels, batchSize, stopped, computeMetrics } = options;
	const started = performance.now();
	const fold = foldFor(options);
	const logits: Float32Array[] = [];
	const rows = rowsOf(examples);
	for (let first = 0; first < rows; first += batchSize) {
		if (stopped()) return undefined;
		const size = Math.min(batchSize, rows - first);
		const batch = pack(
			examples,
			Int32Array.from({ length: size }, (_, index) => first + index),
		);
		const values = await session.logits(batch);
		fold.add(values, batch.labels);
		if (computeMetrics === undefined) continue;
		for (let row = 0; row < size; row++) logits.push(values.subarray(row * labels.length, (row + 1) * labels.length));
	}
	const metrics: Metrics = await fold.metrics();
	const evaluated = { logits, labels: examples.targets, names: labels };
	const all = computeMetrics === undefined ? metrics : await withCustomMetrics(metrics, computeMetrics, evaluated, options.warn);
	return { metrics: all, rows, seconds: (performance.now() - started) / 1000 };
}
