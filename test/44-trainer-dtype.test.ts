import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { AbortError, Trainer, type TrainerConfig, type TrainerEvent } from '../lib/index.js';
import { loadBase } from '../lib/runtime/load.js';
import { dtypeWarnings, settledDtype } from '../lib/train/dtype.js';
import { resultOf, settings } from './tiny-run.js';

vi.setConfig({ testTimeout: 60_000 });

let scratch: string;
beforeAll(() => {
	scratch = mkdtempSync(join(tmpdir(), 'distiltune-dtype-'));
});
afterAll(() => rmSync(scratch, { recursive: true }));

let folders = 0;
const newFolder = () => join(scratch, `run-${folders++}`);

async function run(config: Partial<TrainerConfig>, { resume, stopAt }: { resume?: boolean; stopAt?: number } = {}): Promise<TrainerEvent[]> {
	const controller = new AbortController();
	const stopper = { step: (event: TrainerEvent) => 'step' in event && event.step === stopAt && controller.abort('enough') };
	await using trainer = new Trainer({ ...settings, callbacks: [stopper], ...config });
	const events: TrainerEvent[] = [];
	const going = trainer.fit({ signal: controller.signal, resume });
	try {
		for await (const event of going) events.push(event);
		await going;
	} catch (error) {
		if (!(error instanceof AbortError)) throw error;
	}
	return events;
}

const recordOf = (outputDir: string) => JSON.parse(readFileSync(join(outputDir, 'run.json'), 'utf8'));
const slow = (events: readonly TrainerEvent[]) => events.filter((event) => event.type === 'warning' && event.code === 'BF16_SLOW');

describe('dtype', () => {
	it('auto is bf16 where the CPU multiplies it natively, and what a run had where one goes on', () => {
		expect(settledDtype('auto', undefined, { bf16: true })).toBe('bf16');
		expect(settledDtype('auto', undefined, { bf16: false })).toBe('fp32');
		expect(settledDtype('auto', 'bf16', { bf16: false })).toBe('bf16');
		expect(settledDtype('auto', 'fp32', { bf16: true })).toBe('fp32');
		expect(settledDtype('fp32', 'bf16', { bf16: true })).toBe('fp32');
		expect(settledDtype('bf16', 'fp32', { bf16: false })).toBe('bf16');
	});

	it('bf16 is told to be slow where the CPU has it not, and only there', () => {
		expect(dtypeWarnings('bf16', { bf16: false })).toMatchObject([{ code: 'BF16_SLOW' }]);
		expect(dtypeWarnings('bf16', { bf16: true })).toEqual([]);
		expect(dtypeWarnings('fp32', { bf16: false })).toEqual([]);
	});

	it('auto is settled once: in the first event, run.json and the checkpoint', async () => {
		const outputDir = newFolder();
		const settled = loadBase().cpu().bf16 ? 'bf16' : 'fp32';
		const events = await run({ dtype: 'auto', outputDir });
		expect(events[0]).toMatchObject({ type: 'trainBegin', dtype: settled });
		expect(recordOf(outputDir)).toMatchObject({ config: { dtype: 'auto' }, machine: { dtype: settled } });
		const { identity } = JSON.parse(readFileSync(join(outputDir, 'checkpoint-18', 'run_state.json'), 'utf8'));
		expect(identity.machine.dtype).toBe(settled);
		expect(identity.options).not.toHaveProperty('dtype');
		expect(slow(events)).toEqual([]);
	});

	it('wants one of its words', () => {
		expect(() => new Trainer({ ...settings, dtype: 'fp16' as 'bf16' })).toThrow(/dtype.*auto, fp32, bf16/);
	});
});

describe('a run in bf16', () => {
	it('learns what it learns in fp32, and is not the same run', async () => {
		const losses: Record<string, number[]> = {};
		for (const dtype of ['fp32', 'bf16'] as const) {
			const outputDir = newFolder();
			const events = await run({ dtype, outputDir });
			expect(events[0]).toMatchObject({ dtype });
			expect(slow(events)).toHaveLength(dtype === 'bf16' && !loadBase().cpu().bf16 ? 1 : 0);
			expect(recordOf(outputDir)).toMatchObject({ config: { dtype }, machine: { dtype } });
			losses[dtype] = recordOf(outputDir).evaluations.map(({ metrics }: { metrics: { loss: number } }) => metrics.loss);
		}
		const { fp32 = [], bf16 = [] } = losses;
		expect(bf16).not.toEqual(fp32);
		expect(bf16.at(-1)).toBeLessThan(0.8 * (bf16[0] as number));
		// They were never more than .005 apart.
		expect(Math.abs((bf16.at(-1) as number) - (fp32.at(-1) as number))).toBeLessThan(0.02);
	});

	it('goes on to the same bytes, and auto goes on with what it was', async () => {
		const unbroken = newFolder();
		await run({ dtype: 'bf16', outputDir: unbroken });
		const broken = newFolder();
		await run({ dtype: 'bf16', outputDir: broken }, { stopAt: 9 });
		const events = await run({ dtype: 'auto', outputDir: broken }, { resume: true });
		expect(events[0]).toMatchObject({ dtype: 'bf16', resumedFrom: { step: 9 } });
		expect(resultOf(broken)).toEqual(resultOf(unbroken));
	});

	it('does not go on in fp32', async () => {
		const outputDir = newFolder();
		await run({ dtype: 'bf16', outputDir }, { stopAt: 3 });
		await expect(run({ dtype: 'fp32', outputDir }, { resume: true })).rejects.toMatchObject({
			code: 'RESUME_MISMATCH',
			message: expect.stringContaining('dtype was "bf16" and is "fp32"'),
		});
	});
});
