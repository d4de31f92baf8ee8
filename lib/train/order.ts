/** Which rows make which optimizer step. */
import { DataError } from '../errors.js';

export interface PlanOptions {
	readonly perDeviceTrainBatchSize: number;
	readonly gradientAccumulationSteps: number;
	readonly dataloaderDropLast: boolean;
	readonly numTrainEpochs: number;
	readonly maxSteps: number;
}

/** The run in numbers, before it starts. */
export interface Plan {
	readonly batchesPerEpoch: number;
	/** A short last group of batches makes a step too, as in Transformers 5. */
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
	const stepsPerEpoch = Math.ceil(batchesPerEpoch / options.gradientAccumulationSteps);
	const totalSteps = options.maxSteps > 0 ? options.maxSteps : Math.ceil(options.numTrainEpochs * stepsPerEpoch);
	return { batchesPerEpoch, stepsPerEpoch, totalSteps, epochs: Math.ceil(totalSteps / stepsPerEpoch) };
}

/**
 * Order of rows in an epoch (0-based): a permutation drawn afresh from `seed + epoch`, which is what Transformers 5's
 * seedable sampler does (reference: accelerate data_loader.py, SeedableRandomSampler).
 */
export function epochOrder(permutation: (seed: number, n: number) => Int32Array, dataSeed: number, epoch: number, rows: number): Int32Array {
	return permutation(dataSeed + epoch, rows);
}

/** One optimizer step after another; each is one or more batches of row numbers. */
export function* stepsOfEpoch(order: Int32Array, plan: Plan, options: PlanOptions): Generator<Int32Array[]> {
	const size = options.perDeviceTrainBatchSize;
	for (let first = 0; first < plan.batchesPerEpoch; first += options.gradientAccumulationSteps) {
		const end = Math.min(first + options.gradientAccumulationSteps, plan.batchesPerEpoch);
		yield Array.from({ length: end - first }, (_, index) => order.subarray((first + index) * size, (first + index + 1) * size));
	}
}
