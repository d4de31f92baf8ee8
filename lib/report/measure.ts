/** A model measured on rows, batch by batch. */
import type { ProblemType } from '../model/config.js';
import type { NativeSession } from '../runtime/native.js';
import type { Measured } from '../train/events.js';
import { type Examples, pack, rowsOf } from '../train/examples.js';
import { foldFor } from './fold.js';

export interface MeasureOptions {
	readonly session: Pick<NativeSession, 'logits'>;
	readonly problemType: ProblemType;
	readonly labels: readonly string[];
	/** That of training: Transformers' eval_loss is smoothed too. */
	readonly labelSmoothing: number;
	/** Rows of one batch; no result depends on it. */
	readonly batchSize: number;
	/** Asked before every batch. */
	readonly stopped: () => boolean;
}

/** Undefined where it was stopped. */
export async function measure(examples: Examples, options: MeasureOptions): Promise<Measured | undefined> {
	const { session, batchSize, stopped } = options;
	const started = performance.now();
	const fold = foldFor(options);
	const rows = rowsOf(examples);
	for (let first = 0; first < rows; first += batchSize) {
		if (stopped()) return undefined;
		const size = Math.min(batchSize, rows - first);
		const batch = pack(
			examples,
			Int32Array.from({ length: size }, (_, index) => first + index),
		);
		fold.add(await session.logits(batch), batch.labels);
	}
	return { metrics: await fold.metrics(), rows, seconds: (performance.now() - started) / 1000 };
}
