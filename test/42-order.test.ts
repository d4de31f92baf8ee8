import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { loadBase } from '../lib/runtime/load.js';
import { epochOrder, type OrderOptions } from '../lib/train/order.js';
import { groupsOfEpoch, planOf } from '../lib/train/plan.js';
import { rateAt, type ScheduleKwargs, type ScheduleName, warmupLength } from '../lib/train/schedule.js';
import { planOptions } from './loop.js';
import { referenceJson } from './models.js';

describe('learning rate', () => {
	const { schedules, warmup_ratio: ratios } = referenceJson('schedules.json.gz');

	interface Recorded {
		name: ScheduleName;
		lr: number;
		warmup_steps: number;
		total_steps: number;
		kwargs: { num_cycles?: number; power?: number; lr_end?: number; timescale?: number };
		lrs: number[];
	}

	function rates({ name, lr, warmup_steps: warmup, total_steps: totalSteps, kwargs, lrs }: Recorded): number[] {
		const { num_cycles: numCycles, power, lr_end: lrEnd, timescale } = kwargs;
		const given = Object.fromEntries(Object.entries({ numCycles, power, lrEnd, timescale }).filter(([, value]) => value !== undefined));
		const schedule = { name, learningRate: lr, warmup, totalSteps, kwargs: given as ScheduleKwargs };
		return lrs.map((_, step) => rateAt(step, schedule));
	}

	// Nothing but additions, products, quotients and roots: every machine gives the same bits.
	const exact = schedules.filter(({ name, kwargs }: Recorded) => !name.startsWith('cosine') && kwargs.power === undefined);
	// cos and ** come from each machine's own library; one unit in the last place of the top rate (semantics of the reference's README).
	const library = schedules.filter((schedule: Recorded) => !exact.includes(schedule));

	it("is that of Transformers' schedules, past the end too, to the bit", () => {
		expect(new Set(schedules.map(({ name }: Recorded) => name)).size).toBe(7);
		expect(exact.length + library.length).toBe(71);
		for (const schedule of exact as Recorded[]) expect(rates(schedule), JSON.stringify({ ...schedule, lrs: [] })).toEqual(schedule.lrs);
	});

	it('is that of Transformers to the last place where cosines or powers are taken', () => {
		expect(library.length).toBeGreaterThan(20);
		for (const schedule of library as Recorded[]) {
			for (const [step, rate] of rates(schedule).entries()) {
				expect(Math.abs(rate - (schedule.lrs[step] as number))).toBeLessThanOrEqual(schedule.lr * 2 ** -52);
			}
		}
	});

	it('ends at the end rate where polynomial has nothing but warm-up, which Transformers divides by zero for', () => {
		const schedule = { name: 'polynomial', learningRate: 5e-5, warmup: 10, totalSteps: 10, kwargs: {} } as const;
		expect([9, 10, 11].map((step) => rateAt(step, schedule))).toEqual([5e-5 * 0.9, 5e-5 * (1e-7 / 5e-5), 5e-5 * (1e-7 / 5e-5)]);
	});

	it('warms up for a share of the steps, rounded up, unless a number is given', () => {
		for (const { ratio, total_steps: total, warmup_steps: steps } of ratios) {
			expect(warmupLength(total, { warmupSteps: 0, warmupRatio: ratio })).toBe(steps);
			expect(warmupLength(total, { warmupSteps: 7, warmupRatio: ratio })).toBe(7);
		}
	});
});

interface Epoch {
	order?: number[];
	first64?: number[];
	count?: number;
	sha256_int32_le?: string;
}

interface Sampled {
	n: number;
	batch: number;
	seed: number;
	data_seed: number | null;
	drop_last: boolean;
	optimizer_steps?: number;
	error?: string;
	epochs: Epoch[];
}

const {
	trainer,
	classic_4_18_rebuilt: classic,
	group_by_length: grouped,
	gradient_accumulation: accumulated,
	raw_torch: raw,
} = referenceJson('sampler.json.gz');
const { Generator } = loadBase();

const orderOptions = (changes: Partial<OrderOptions>): OrderOptions => ({
	compat: '5',
	seed: 42,
	dataSeed: undefined,
	groupByLength: false,
	rowsPerStep: 8,
	lengths: new Int32Array(0),
	Generator,
	...changes,
});

function expectOrder(seen: Int32Array, { order, first64, count, sha256_int32_le: sha }: Epoch): void {
	if (order) {
		expect([...seen]).toEqual(order);
		return;
	}
	expect(seen).toHaveLength(count as number);
	expect([...seen.subarray(0, 64)]).toEqual(first64);
	expect(createHash('sha256').update(new Uint8Array(seen.buffer)).digest('hex')).toBe(sha);
}

describe('generator', () => {
	it('draws as torch does after manual_seed', () => {
		for (const { seed, randperm_10: order, randperm_1000_sha256_int64_le: sha, random_int64: int64 } of raw) {
			expect([...new Generator(seed).permutation(10)]).toEqual(order);
			const wide = BigInt64Array.from(new Generator(seed).permutation(1000), BigInt);
			expect(createHash('sha256').update(new Uint8Array(wide.buffer)).digest('hex')).toBe(sha);
			expect(String(new Generator(seed).int64())).toBe(int64);
		}
	});

	it('takes the low 32 bits of a seed, whether a number or a BigInt', () => {
		const order = [...new Generator(7).permutation(20)];
		for (const seed of [7n, 2 ** 32 + 7, (1n << 62n) + 7n]) expect([...new Generator(seed).permutation(20)]).toEqual(order);
	});

	it('gives no rows no order', () => {
		expect(new Generator(1).permutation(0)).toHaveLength(0);
	});
});

describe('order of rows', () => {
	it.each((trainer as Sampled[]).filter(({ error }) => error === undefined))(
		'is that of Transformers 5: $n rows, seed $seed, data seed $data_seed, drop last $drop_last',
		({ n, batch, seed, data_seed, drop_last, optimizer_steps, epochs }) => {
			const options = { ...planOptions, perDeviceTrainBatchSize: batch, dataloaderDropLast: drop_last };
			const plan = planOf(n, options);
			expect(plan.totalSteps).toBe(optimizer_steps);
			for (const [epoch, expected] of epochs.entries()) {
				const order = epochOrder(epoch, orderOptions({ seed, dataSeed: data_seed ?? undefined, lengths: new Int32Array(n) }));
				const seen = [...groupsOfEpoch(order, plan, options)].flatMap(({ batches }) => batches.flatMap((rows) => [...rows]));
				expectOrder(Int32Array.from(seen), expected);
			}
		},
	);

	it.each(classic as Sampled[])('is that of Transformers 4.18: $n rows, seed $seed, data seed $data_seed', ({ n, seed, data_seed, epochs }) => {
		const options = orderOptions({ compat: '4.18', seed, dataSeed: data_seed ?? undefined, lengths: new Int32Array(n) });
		for (const [epoch, expected] of epochs.entries()) expectOrder(epochOrder(epoch, options), expected);
	});

	interface Grouped {
		seed: number;
		batch: number;
		gradient_accumulation_steps: number;
		epochs: number[][];
	}
	const groups = [...grouped.runs.map((run: Grouped) => ({ ...run, lengths: grouped.lengths })), grouped.small] as (Grouped & {
		lengths: number[];
	})[];

	it.each(groups)('groups rows by length: seed $seed, batch $batch, accumulation $gradient_accumulation_steps', (run) => {
		const rowsPerStep = run.batch * run.gradient_accumulation_steps;
		const options = orderOptions({ seed: run.seed, groupByLength: true, rowsPerStep, lengths: Int32Array.from(run.lengths) });
		for (const [epoch, order] of run.epochs.entries()) expectOrder(epochOrder(epoch, options), { order });
	});

	it('groups by length in 4.18 after one permutation an epoch, of a generator seeded by the first draw', () => {
		const lengths = Int32Array.from({ length: 100 }, (_, row) => (row * 37) % 19);
		const own = new Generator(new Generator(3).int64());
		for (const epoch of [0, 1, 2]) {
			const permutation = own.permutation(100);
			const order = epochOrder(epoch, orderOptions({ compat: '4.18', seed: 3, groupByLength: true, lengths }));
			// Blocks of 3 steps of 8 rows: floor(100 / (4 * 8)); the first row of the block with the longest row has changed places.
			expect([...order].sort((a, b) => a - b)).toEqual([...permutation].sort((a, b) => a - b));
			expect(lengths[order[0] as number]).toBe(18);
			const block = (from: Int32Array) => new Set(from.subarray(24, 48));
			expect([...block(order)].filter((row) => !block(permutation).has(row)).length).toBeLessThanOrEqual(1);
		}
	});

	it('is refused where dropping the last batch leaves none, which Transformers refuses too', () => {
		for (const { n, drop_last } of (trainer as Sampled[]).filter(({ error }) => error !== undefined)) {
			expect(() => planOf(n, { ...planOptions, dataloaderDropLast: drop_last })).toThrow(`Expected at least one full batch of 8 rows, got ${n}`);
		}
	});
});

describe('batches gathered into steps', () => {
	it('are those of Transformers 5, a short last group included', () => {
		expect(accumulated.length).toBeGreaterThan(5);
		for (const { n, batch, seed, gradient_accumulation_steps, optimizer_steps, epochs } of accumulated) {
			const options = { ...planOptions, perDeviceTrainBatchSize: batch, gradientAccumulationSteps: gradient_accumulation_steps };
			const plan = planOf(n, options);
			expect(plan.totalSteps).toBe(optimizer_steps);
			for (const [epoch, expected] of epochs.entries()) {
				const order = epochOrder(epoch, orderOptions({ seed, lengths: new Int32Array(n) }));
				const steps = [...groupsOfEpoch(order, plan, options)];
				expect(steps.map(({ batches }) => ({ rows: batches.flatMap((rows) => [...rows]), micro_batches: batches.length }))).toEqual(expected);
				expect(steps.every(({ batches, divisor, steps: update }) => update && divisor === batches.length)).toBe(true);
			}
		}
	});

	// trainer.py of 4.18: an update where (batch + 1) % accumulation is 0, or at the last batch of an epoch no longer than accumulation.
	it.each([
		{ rows: 40, accumulation: 3, stepsPerEpoch: 1, groups: ['3/3', '2/3 later'] },
		{ rows: 40, accumulation: 5, stepsPerEpoch: 1, groups: ['5/5'] },
		{ rows: 40, accumulation: 8, stepsPerEpoch: 1, groups: ['5/8'] },
		{ rows: 37, accumulation: 2, stepsPerEpoch: 2, groups: ['2/2', '2/2', '1/2 later'] },
	])('leave over in 4.18 what makes no whole group: $rows rows by $accumulation', ({ rows, accumulation, stepsPerEpoch, groups }) => {
		const options = { ...planOptions, compat: '4.18' as const, gradientAccumulationSteps: accumulation };
		const plan = planOf(rows, options);
		expect(plan).toMatchObject({ stepsPerEpoch, totalSteps: 3 * stepsPerEpoch, epochs: 3 });
		const seen = [...groupsOfEpoch(new Generator(1).permutation(rows), plan, options)];
		expect(seen.map(({ batches, divisor, steps }) => `${batches.length}/${divisor}${steps ? '' : ' later'}`)).toEqual(groups);
	});

	it.each([
		[{ maxSteps: 50 }, { totalSteps: 50, epochs: 1 }],
		[{ maxSteps: 700 }, { totalSteps: 700, epochs: 2 }],
		[{ numTrainEpochs: 0.5 }, { totalSteps: 313, epochs: 1 }],
		[{ numTrainEpochs: 2.2 }, { totalSteps: 1375, epochs: 3 }],
		[{ gradientAccumulationSteps: 4 }, { totalSteps: 471, stepsPerEpoch: 157, epochs: 3 }],
		[
			{ gradientAccumulationSteps: 4, compat: '4.18' as const },
			{ totalSteps: 468, stepsPerEpoch: 156, epochs: 3 },
		],
	])('count the steps of 5,000 rows under %j', (changes, expected) => {
		expect(planOf(5000, { ...planOptions, ...changes })).toMatchObject(expected);
	});
});
