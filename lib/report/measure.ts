/** A model measured on rows, batch by batch. */
import type { NativeSession } from '../runtime/native.js';
import type { Measured } from '../train/events.js';
import { type Examples, pack } from '../train/examples.js';
import { metricsOf } from './metrics.js';
import { ScoredRows } from './scored-rows.js';

export interface MeasureOptions {
	readonly session: Pick<NativeSession, 'logits'>;
	readonly labels: readonly string[];
	/** That of training: Transformers' eval_loss is smoothed too. */
	readonly labelSmoothing: number;
	/** Rows of one batch; no result depends on it. */
	readonly batchSize: number;
	/** Asked before every batch. */
	readonly stopped: () => boolean;
}

/** Undefined where it was stopped. */
export async function measure(
	examples: Examples,
	{ session, labels, labelSmoothing, batchSize, stopped }: MeasureOptions,
): Promise<Measured | undefined> {
	const started = performance.now();
	const scored = new ScoredRows(labels.length);
	const rows = examples.classes.length;
	for (let first = 0; first < rows; first += batchSize) {
		if (stopped()) return undefined;
		const size = Math.min(batchSize, rows - first);
		const batch = pack(
			examples,
			Int32Array.from({ length: size }, (_, index) => first + index),
		);
		scored.add(await session.logits(batch), batch.labels);
	}
	return { metrics: await metricsOf(scored, labels, { labelSmoothing }), rows, seconds: (performance.now() - started) / 1000 };
}
