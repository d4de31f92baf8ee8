/** Which rows make which optimizer step, and how many steps there are. */
import { DataError } from '../errors.js';

export interface PlanOptions {
	readonly compat: '5' | '4.18';
	readonly perDeviceTrainBatchSize: number;
	readonly gradientAccumulationSteps: number;
	readonly dataloaderDropLast: boolean;
	readonly numTrainEpochs: number;
	readonly maxSteps: number;
}

/** The run in numbers, before it starts. */
export interface Plan {
	readonly batchesPerEpoch: number;
	readonly stepsPerEpoch: number;
	readonly totalSteps: number;
	/** Epochs begun; the last may be cut short. */
	readonly epochs: number;
}

/** Throws DataError TOO_FEW_ROWS where leaving out the short last batch leaves none. */
export function planOf(rows: number, options: PlanOptions): Plan {
	const batches = rows / options.perDeviceTrainBatchSize;
	const batchesPerEpoch = options.dataloaderDropLast ? Math.floor(batches) : Math.ceil(batches);
	if (batchesPerEpoch === 0) {
		const sentence = `Expected at least one full batch of ${options.perDeviceTrainBatchSize} rows, got ${rows}, and dataloaderDropLast leaves out the rest`;
		throw new DataError('TOO_FEW_ROWS', sentence);
	}
	const groups = batchesPerEpoch / options.gradientAccumulationSteps;
	const stepsPerEpoch = options.compat === '5' ? Math.ceil(groups) : Math.max(1, Math.floor(groups));
	const totalSteps = options.maxSteps > 0 ? options.maxSteps : Math.ceil(options.numTrainEpochs * stepsPerEpoch);
	return { batchesPerEpoch, stepsPerEpoch, totalSteps, epochs: Math.ceil(totalSteps / stepsPerEpoch) };
}

/** Batches of row numbers whose gradients are added up. */
export interface Group {
	readonly batches: readonly Int32Array[];
	/** Each batch's mean loss counts 1 / divisor. */
	readonly divisor: number;
	/** Whether an update follows; else the gradients stay for the next group, as those of a left-over do in 4.18. */
	readonly steps: boolean;
}

/**
 * The groups of an epoch in order. A short last one makes a step of its own in Transformers 5, its batches sharing it; in 4.18 it makes one
 * only where the epoch has no other, and every batch counts 1 / gradientAccumulationSteps (trainer.py, inner training loop).
 * Groups that the first `consumed` batches fill are left out.
 */
export function* groupsOfEpoch(order: Int32Array, { batchesPerEpoch }: Plan, options: PlanOptions, consumed = 0): Generator<Group> {
	const { perDeviceTrainBatchSize: size, gradientAccumulationSteps: most, compat } = options;
	for (let first = consumed - (consumed % most); first < batchesPerEpoch; first += most) {
		const count = Math.min(most, batchesPerEpoch - first);
		if (first + count <= consumed) continue;
		const batches = Array.from({ length: count }, (_, index) => order.subarray((first + index) * size, (first + index + 1) * size));
		if (compat === '5') yield { batches, divisor: count, steps: true };
		else yield { batches, divisor: most, steps: count === most || batchesPerEpoch < most };
	}
}
