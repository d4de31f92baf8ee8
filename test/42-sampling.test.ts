import { describe, expect, it } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { epochOrder, type OrderOptions } from '../lib/train/order.js';
import { drawnRows, rowWeights } from '../lib/train/sampling.js';
import { referenceJson } from './models.js';

const { Generator } = loadBase();
const { draws } = referenceJson('training-options.json.gz') as { draws: { weights: number[]; seed: number; rows: number[] }[] };

it.each(draws)("rows are drawn as torch's WeightedRandomSampler draws them: seed $seed", ({ weights, seed, rows }) => {
	expect([...drawnRows(Float64Array.from(weights), new Generator(seed))]).toEqual(rows);
});

describe('weights of rows', () => {
	const labels = ['a', 'b', 'c'];
	const classes = Int32Array.of(0, 0, 0, 1);

	it('are those of their labels', () => {
		expect([...rowWeights({ b: 5 }, labels, classes)]).toEqual([1, 1, 1, 5]);
		expect([...rowWeights([2, 0, 1], labels, classes)]).toEqual([2, 2, 2, 0]);
		const [common, , , rare] = rowWeights('balanced', labels, classes);
		expect(rare).toBe(3 * (common as number));
	});

	it('that fit no label, or leave no row, are refused', () => {
		expect(() => rowWeights({ z: 1 }, labels, classes)).toThrow('Expected `sampling` to be weights of a, b, c, got one of "z"');
		expect(() => rowWeights({ a: 0, b: 0 }, labels, classes)).toThrow('Expected `sampling` to give a label that rows have more than 0');
	});
});

describe('an epoch of rows drawn by weight', () => {
	const classes = Int32Array.from({ length: 1000 }, (_, row) => Number(row % 10 === 0));
	const options: OrderOptions = {
		compat: '5',
		seed: 42,
		dataSeed: undefined,
		groupByLength: false,
		rowsPerStep: 8,
		lengths: Int32Array.from(classes, (_, row) => 2 + (row % 7)),
		rowWeights: rowWeights('balanced', ['a', 'b'], classes),
		Generator,
	};

	it('has as many rows as there are, of each label about as many', () => {
		const order = epochOrder(0, options);
		expect(order).toHaveLength(1000);
		const rare = order.filter((row) => classes[row] === 1).length;
		// 1000 draws at one half: five standard deviations are 79.
		expect(Math.abs(rare - 500)).toBeLessThan(79);
	});

	it('hangs on the epoch, the seed of the data and nothing else', () => {
		for (const compat of ['5', '4.18'] as const) {
			const third = epochOrder(2, { ...options, compat });
			for (const epoch of [0, 1]) expect(epochOrder(epoch, { ...options, compat })).not.toEqual(third);
			expect(epochOrder(2, { ...options, compat })).toEqual(third);
			expect(epochOrder(2, { ...options, compat, dataSeed: 7 })).not.toEqual(third);
		}
		expect(epochOrder(1, { ...options, dataSeed: 7 })).toEqual(epochOrder(0, { ...options, dataSeed: 8 }));
	});

	it('is sorted within blocks where rows are grouped by length', () => {
		const grouped = epochOrder(0, { ...options, groupByLength: true });
		expect([...grouped].sort()).toEqual([...epochOrder(0, options)].sort());
		const lengths = Array.from(grouped.subarray(1, 200), (row) => options.lengths[row] as number);
		expect(lengths).toEqual([...lengths].sort((a, b) => b - a));
	});
});
