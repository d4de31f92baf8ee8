import { existsSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { removeLeftovers } from '../lib/model/leftovers.js';
import { saveCheckpoint } from '../lib/train/checkpoint.js';
import { findCheckpoint, openCheckpoint } from '../lib/train/find-checkpoint.js';
import { Disk, writeImage } from './faults/disk.js';
import { readLog } from './faults/log.js';
import { sampled } from './faults/share.js';
import { runShimmed } from './faults/shim.js';
import { randomNumbers } from './random.js';

// What a crash or a failing disk leaves of a save: the old checkpoint or the new one, always whole.

// The shim is a Linux library; the store itself is the same code everywhere.
const shimmed = describe.runIf(process.platform === 'linux');

vi.setConfig({ testTimeout: 600_000 });

let scratch: string;
beforeAll(() => {
	scratch = realpathSync(mkdtempSync(join(tmpdir(), 'distiltune-faults-')));
});
afterAll(() => rmSync(scratch, { recursive: true }));

const save = (out: string, step: number) =>
	saveCheckpoint(out, { step, epoch: step, globalSamples: step, world: 1 }, 1000, (folder) =>
		writeFile(join(folder, 'model.safetensors'), `${step}`),
	);

shimmed('a save cut off by a crash', () => {
	it.each([
		['into a new folder', []],
		['beside an older one, which is then deleted', [1]],
		['in place of one of the same step', [1, 2]],
	])('%s leaves the old or the new, and nothing that looks whole and is not', async (name, before) => {
		const root = mkdtempSync(join(scratch, 'crash-'));
		const out = join(root, 'runs', 'out');
		for (const step of before) await save(out, step);
		const disk = new Disk(root);
		const { log } = runShimmed('save.mjs', { out, step: 2 }, root, scratch);
		const calls = readLog(log);
		const renamed = calls.findIndex(({ what, to }) => what === 'rename' && to === join(out, 'checkpoint-2'));
		const durable = calls.findIndex(({ what }, index) => index > renamed && what === 'sync');
		expect(durable).toBeGreaterThan(50);

		const states = calls.flatMap((call, index) => {
			disk.apply(call);
			return disk.losses().map((loss) => ({ index, loss, image: disk.after(loss) }));
		});
		const earlier = before.length === 0 ? [undefined] : before;
		for (const { index, loss, image } of sampled(`crashes of a save ${name}`, states)) {
			const copy = join(scratch, 'state');
			writeImage(copy, image);
			const what = `after call ${index} (${calls[index]?.what}), losing ${JSON.stringify(loss)}`;
			const found = await findCheckpoint(join(copy, 'runs', 'out')).catch((error: Error) => expect.fail(`${what}: ${error.message}`));
			expect(index < durable ? [...earlier, 2] : [2], what).toContain(found.checkpoint?.manifest.step);
			const seen = readdirIfThere(join(copy, 'runs', 'out')).filter((name) => /^checkpoint-\d+$/.test(name));
			for (const name of seen)
				await openCheckpoint(join(copy, 'runs', 'out', name)).catch((error: Error) => expect.fail(`${what}: ${error.message}`));
			rmSync(copy, { recursive: true });
		}
	});
});

const readdirIfThere = (folder: string) => (existsSync(folder) ? readdirSync(folder) : []);

interface Outcome {
	readonly out: string;
	readonly failures?: string[];
	readonly error?: { readonly name: string; readonly code: string; readonly message: string; readonly details: Record<string, unknown> };
	readonly calls: number;
	readonly found: number | undefined;
	readonly passedOver: unknown[];
}

shimmed('a save on a disk that fails', () => {
	const codes = {
		...{ ENOSPC: 'DISK_FULL', EDQUOT: 'DISK_FULL', EMFILE: 'TOO_MANY_FILES' },
		...{ EIO: 'OUTPUT_NOT_WRITABLE', EROFS: 'OUTPUT_NOT_WRITABLE', EACCES: 'OUTPUT_NOT_WRITABLE' },
	};
	const run = (cases: readonly { at: number; error: number; sticky: boolean }[]) => {
		const root = mkdtempSync(join(scratch, 'fault-'));
		return runShimmed('save.mjs', { out: root, cases }, root, scratch).lines as Outcome[];
	};
	let calls: number;
	beforeAll(() => {
		calls = run([{ at: 0, error: 0, sticky: false }])[0]?.calls ?? 0;
		expect(calls).toBeGreaterThan(50);
	});
	const each = (errors: readonly number[]) =>
		errors.flatMap((error) => [false, true].flatMap((sticky) => Array.from({ length: calls }, (_, index) => ({ at: index + 1, error, sticky }))));

	it('is a typed error, leaves a whole checkpoint and, after the next start, nothing astray', async () => {
		const cases = sampled('failing calls', each(Object.keys(codes).map((name) => constants.errno[name as keyof typeof codes])));
		const outcomes = run(cases);
		let survived = 0;
		const later = Date.now() + 2 * 3_600_000;
		for (const [index, outcome] of outcomes.entries()) {
			const { at, error, sticky } = cases[index] as (typeof cases)[number];
			const name = Object.keys(codes).find((name) => constants.errno[name as keyof typeof codes] === error) as keyof typeof codes;
			const what = `${name} at call ${at}${sticky ? ' and all later ones' : ''}`;
			if (outcome.error === undefined) {
				// What may fail are a look at the older one and its removal, which is for a warning.
				for (const failure of outcome.failures ?? []) expect(failure, what).toMatch(/checkpoint-1 could not be removed: /);
				expect(outcome.found, what).toBe(2);
				survived += 1;
			} else {
				expect(outcome.error, what).toMatchObject({
					name: 'DistiltuneError',
					code: codes[name],
					details: { path: join(outcome.out, 'checkpoint-2'), bytesNeeded: 100_000 },
				});
				expect(outcome.error.message, what).toContain(outcome.out);
			}
			expect(outcome.passedOver, what).toEqual([]);
			await removeLeftovers(outcome.out, later);
			const left = readdirSync(outcome.out);
			expect(
				left.filter((name) => !/^checkpoint-[12]$/.test(name)),
				what,
			).toEqual([]);
			expect(left, what).toContain(`checkpoint-${outcome.found}`);
			expect((await findCheckpoint(outcome.out)).checkpoint?.manifest.step, what).toBe(outcome.found);
		}
		expect(outcomes).toHaveLength(cases.length);
		expect(survived).toBeLessThan(cases.length / 2);
	});

	it('that writes less than it is asked to is a save like any other', () => {
		const cases = sampled('short writes', each([-1]));
		expect(run(cases).map(({ found, failures, error }) => ({ found, failures, error }))).toEqual(cases.map(() => ({ found: 2, failures: [] })));
	});
});

shimmed('a save that is killed', () => {
	it('before any of its calls leaves the old checkpoint or the new one', async () => {
		const root = mkdtempSync(join(scratch, 'killed-'));
		const attempt = (at: number): number | undefined => {
			const folder = mkdtempSync(join(root, 'run-'));
			const [outcome] = runShimmed('save.mjs', { out: folder, cases: [{ at, error: at === 0 ? 0 : -2, sticky: false }] }, root, scratch)
				.lines as Outcome[];
			return outcome?.calls;
		};
		const calls = attempt(0) ?? 0;
		expect(calls).toBeGreaterThan(50);
		for (const at of sampled(
			'kills of a save',
			Array.from({ length: 36 }, (_, index) => 1 + Math.floor((index * calls) / 36)),
		)) {
			expect(attempt(at), `killed at call ${at}`).toBeUndefined();
			const folder = join(root, readdirSync(root).sort((a, b) => statSync(join(root, b)).mtimeMs - statSync(join(root, a)).mtimeMs)[0] ?? '', '0');
			const { checkpoint, passedOver } = await findCheckpoint(folder);
			expect([1, 2], `killed at call ${at}`).toContain(checkpoint?.manifest.step);
			expect(passedOver, `killed at call ${at}`).toEqual([]);
		}
	});
});

describe('a checkpoint that was damaged afterwards', () => {
	it('is found out, whatever was cut or flipped', async () => {
		const out = join(scratch, 'damage');
		await save(out, 1);
		const folder = (
			await saveCheckpoint(out, { step: 2, epoch: 2, globalSamples: 2, world: 1 }, 1000, async (folder) => {
				for (const [index, name] of ['model.safetensors', 'optimizer.safetensors', 'vocab.txt', 'run_state.json'].entries())
					await writeFile(join(folder, name), Buffer.alloc(150_000 >> (2 * index), name));
			})
		).folder;
		const files = readdirSync(folder).map((name) => ({ path: join(folder, name), data: readFileSync(join(folder, name)) }));
		const cuts = files.flatMap(({ path, data }) =>
			Array.from({ length: Math.ceil(data.length / 4096) }, (_, block) => ({
				path,
				what: `cut at ${block * 4096}`,
				bytes: data.subarray(0, block * 4096),
			})),
		);
		const numbers = randomNumbers(7);
		const random = (limit: number) => Math.floor(numbers() * limit);
		const flips = Array.from({ length: 200 - cuts.length }, () => {
			const { path, data } = files[random(files.length)] as (typeof files)[number];
			const bytes = Buffer.from(data);
			const bit = random(8 * data.length);
			bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
			return { path, what: `bit ${bit} flipped`, bytes };
		});
		expect(flips.length).toBeGreaterThan(100);
		const whole = await openCheckpoint(folder);
		for (const { path, what, bytes } of sampled('damaged files', [...cuts, ...flips])) {
			writeFileSync(path, bytes);
			const { checkpoint, passedOver } = await findCheckpoint(out);
			expect([checkpoint?.manifest.step, passedOver.length], `${path}: ${what}`).toEqual([1, 1]);
			writeFileSync(path, files.find((file) => file.path === path)?.data as Buffer);
		}
		expect(await openCheckpoint(folder)).toEqual(whole);
	});
});
