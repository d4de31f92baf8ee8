import { describe, expect, it } from 'vitest';
import { TrainingError } from '../lib/errors.js';
import type { RaggedBatch } from '../lib/runtime/native.js';
import { type GuardOptions, guarded, mostSkipped } from '../lib/train/non-finite.js';
import { jobOf, play as playLoop } from './loop.js';

const refusal = (code = 'NON_FINITE') => Object.assign(new Error('The loss of step 3 is nan'), { code, hint: 'Lower the learning rate' });
const batch = {} as RaggedBatch;
const rows = [Int32Array.of(5, 4), Int32Array.of(0)];

/** A session whose calls fail where `fails` says so, and what it was asked for. */
function sessionThat(fails: (call: number) => Error | undefined, changes: Partial<GuardOptions> = {}) {
	const calls: string[] = [];
	const warnings: string[] = [];
	const attempt = <Result>(name: string, result: Result): Promise<Result> => {
		calls.push(name);
		const failure = fails(calls.length);
		return failure === undefined ? Promise.resolve(result) : Promise.reject(failure);
	};
	const session = {
		step: () => attempt('step', { losses: Float64Array.of(1), gradNorm: 2 }),
		accumulate: () => attempt('accumulate', Float64Array.of(1)),
	};
	const options = {
		onNonFinite: 'skip' as const,
		source: { source: 'train.csv', unit: 'Line' },
		lines: Int32Array.of(2, 3, 4, 7, 9, 10),
		warn: (code: string, message: string) => void warnings.push(`${code} ${message}`),
		...changes,
	};
	const guard = guarded(session, options);
	const step = (number = 3) => guard.step([batch], 1e-3, 1, { step: number, rows });
	const accumulate = () => guard.accumulate([batch], 2, { step: 3, rows });
	return { guard, step, accumulate, calls, warnings };
}

describe('a loss that is no number', () => {
	it("ends the run with 'stop', naming the step and the lines of its rows", async () => {
		const { step, accumulate, warnings } = sessionThat(() => refusal(), { onNonFinite: 'stop' });
		for (const call of [step, accumulate]) {
			const error = await call().catch((reason: unknown) => reason);
			expect(error).toBeInstanceOf(TrainingError);
			expect(error).toMatchObject({ code: 'NON_FINITE', hint: 'Lower the learning rate', details: { step: 3, rows: [10, 9, 2] } });
			expect((error as Error).message).toBe('The loss of step 3 is nan (step 3, lines 10, 9, 2 of train.csv)');
		}
		expect(warnings).toEqual([]);
	});

	it("leaves the update out with 'skip', and goes on", async () => {
		const { step, calls, warnings } = sessionThat((call) => (call === 2 ? refusal() : undefined));
		expect(await step()).toEqual({ losses: Float64Array.of(1), gradNorm: 2 });
		expect(await step()).toEqual({ losses: Float64Array.of(Number.NaN), gradNorm: Number.NaN });
		expect(await step()).toEqual({ losses: Float64Array.of(1), gradNorm: 2 });
		expect(calls).toHaveLength(3);
		expect(warnings).toEqual(['UPDATE_SKIPPED The loss of step 3 is nan (step 3, lines 10, 9, 2 of train.csv): skipped, 1 in a row of at most 9']);
	});

	it('leaves the other batches of its update out as well', async () => {
		const { step, accumulate, calls } = sessionThat((call) => (call === 1 ? refusal() : undefined));
		expect(await accumulate()).toEqual(Float64Array.of(Number.NaN));
		expect(await accumulate()).toEqual(Float64Array.of(Number.NaN));
		expect((await step()).gradNorm).toBeNaN();
		expect(calls).toEqual(['accumulate']);
		expect((await step()).gradNorm).toBe(2);
	});

	it('goes on leaving out where the update had been spoilt before', async () => {
		const { step, calls } = sessionThat(() => undefined, { spoilt: true });
		expect((await step()).gradNorm).toBeNaN();
		expect((await step()).gradNorm).toBe(2);
		expect(calls).toEqual(['step']);
	});

	it('counts on from what an earlier loop had left out', async () => {
		const { guard, step } = sessionThat((call) => (call === 2 ? undefined : refusal()), { skipped: mostSkipped - 2 });
		await step();
		expect(guard.skipped).toBe(mostSkipped - 1);
		await step();
		expect(guard.skipped).toBe(0);
		await expect(sessionThat(() => refusal(), { skipped: mostSkipped - 1 }).step()).rejects.toMatchObject({ code: 'NON_FINITE' });
	});

	it('ends the run where ten updates in a row were none, not ten in all', async () => {
		const alternating = sessionThat((call) => (call % 2 === 0 ? refusal() : undefined));
		for (let call = 0; call < 3 * mostSkipped; call++) await alternating.step();
		expect(alternating.warnings).toHaveLength((3 * mostSkipped) / 2);

		const always = sessionThat(() => refusal());
		for (let call = 1; call < mostSkipped; call++) await always.step();
		await expect(always.step()).rejects.toMatchObject({
			code: 'NON_FINITE',
			message: expect.stringContaining('the 10th update in a row without a number'),
			details: { step: 3, rows: [10, 9, 2] },
		});
	});
});

it('other refusals are errors in any case, and what is none of ours stays as it is', async () => {
	await expect(sessionThat(() => refusal('CANCELLED')).step()).rejects.toMatchObject({ name: 'TrainingError', code: 'CANCELLED' });
	const bug = new TypeError('a bug');
	await expect(sessionThat(() => bug).step()).rejects.toBe(bug);
});

it('the loop says which step and rows it is at', async () => {
	const asked: unknown[] = [];
	const { job } = jobOf({ gradientAccumulationSteps: 2 });
	const step: typeof job.session.step = (batches, rate, divisor, where) => {
		asked.push(where);
		return job.session.step(batches, rate, divisor, where);
	};
	await playLoop({ ...job, session: { ...job.session, step } });
	expect(asked.slice(0, 2)).toEqual([
		{ step: 1, rows: [Int32Array.of(5, 4), Int32Array.of(3, 2)] },
		{ step: 2, rows: [Int32Array.of(1, 0)] },
	]);
});
