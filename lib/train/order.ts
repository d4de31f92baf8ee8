/** The order of rows in each epoch: Transformers' own for every seed, size and epoch. */
import type { BaseAddon } from '../runtime/native.js';
import { drawnRows } from './sampling.js';

export interface OrderOptions {
	/** Whose order: Transformers 5's, or that of 4.18 with torch 1.11 and later. */
	readonly compat: '5' | '4.18';
	readonly seed: number;
	/** Seeds the order alone. Not read by `groupByLength` under '5', as in Transformers. */
	readonly dataSeed: number | undefined;
	readonly groupByLength: boolean;
	/** Given where rows are drawn with replacement: how likely each is. Every epoch then has a generator of its own, in both versions. */
	readonly rowWeights?: Float64Array | undefined;
	/** Rows of an optimizer step, accumulation included. */
	readonly rowsPerStep: number;
	/** Tokens of each row. */
	readonly lengths: Int32Array;
	readonly Generator: BaseAddon['Generator'];
}

/** Row numbers in the order of `epoch` (0-based). What comes before it in a stream is drawn again, so any epoch can be asked for. */
export function epochOrder(epoch: number, options: OrderOptions): Int32Array {
	const rows = options.rowWeights === undefined ? permutation(epoch, options) : drawnOf(epoch, options.rowWeights, options);
	return options.groupByLength ? groupedByLength(rows, options) : rows;
}

const permutation = (epoch: number, options: OrderOptions) =>
	options.compat === '5' ? permutationOf5(epoch, options) : permutationOf418(epoch, options);

const drawnOf = (epoch: number, weights: Float64Array, options: OrderOptions) =>
	drawnRows(weights, new options.Generator(orderSeed(options) + BigInt(epoch)));

/** What seeds the generator of the order: of epoch 0, where each epoch has one of its own. */
export function orderSeed({ compat, seed, dataSeed, groupByLength, rowWeights, Generator }: OrderOptions): bigint {
	if (compat === '4.18' && dataSeed === undefined) return new Generator(seed).int64();
	return BigInt(compat === '5' && groupByLength && rowWeights === undefined ? seed : (dataSeed ?? seed));
}

/**
 * Transformers 5: a fresh generator an epoch (accelerate data_loader.py, SeedableRandomSampler). Grouped, it is the default generator,
 * which gives the loader a seed and then the permutation, epoch after epoch (trainer_pt_utils.py, LengthGroupedSampler); Transformers' own
 * dropout on a CPU draws from it too, so that there the two orders are the same up to the first masks.
 */
function permutationOf5(epoch: number, options: OrderOptions): Int32Array {
	const { groupByLength, lengths, Generator } = options;
	if (!groupByLength) return new Generator(orderSeed(options) + BigInt(epoch)).permutation(lengths.length);
	const generator = new Generator(orderSeed(options));
	for (let before = 0; before < epoch; before++) {
		generator.int64();
		generator.permutation(lengths.length);
	}
	generator.int64();
	return generator.permutation(lengths.length);
}

/**
 * Transformers 4.18: a generator of the order's own, seeded by one draw after the seed. torch's RandomSampler, from 1.11 on, draws a second
 * permutation when an epoch is used up and throws it away (pytorch PR 16209); the grouped sampler does not.
 */
function permutationOf418(epoch: number, options: OrderOptions): Int32Array {
	const { groupByLength, lengths, Generator } = options;
	const generator = new Generator(orderSeed(options));
	const unused = groupByLength ? epoch : 2 * epoch;
	for (let before = 0; before < unused; before++) generator.permutation(lengths.length);
	return generator.permutation(lengths.length);
}

/**
 * Rows of like length near one another: blocks of at most 50 steps, each sorted by length, longest first, and the longest row of all in
 * front, so that memory runs out at once if it will (trainer_pt_utils.py, get_length_grouped_indices).
 */
function groupedByLength(rows: Int32Array, { rowsPerStep, lengths }: OrderOptions): Int32Array {
	const lengthOf = (row: number | undefined) => lengths[row ?? 0] ?? 0;
	const steps = Math.max(1, Math.min(Math.floor(rows.length / (4 * rowsPerStep)), 50));
	const size = steps * rowsPerStep;
	const order = rows.slice();
	let longest = 0;
	for (let first = 0; first < order.length; first += size) {
		const block = Array.from(order.subarray(first, first + size)).sort((a, b) => lengthOf(b) - lengthOf(a));
		order.set(block, first);
		if (lengthOf(order[first]) > lengthOf(order[longest])) longest = first;
	}
	if (order.length > 0) [order[0], order[longest]] = [order[longest] as number, order[0] as number];
	return order;
}
