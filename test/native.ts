import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface Line {
	readonly name: string;
	/** undefined where the case passed. */
	readonly reason: string | undefined;
}

/** Folder that `npm test` built the programs of native/<room>/test into. */
function folder(): string {
	return process.env.DISTILTUNE_TEST_PROGRAMS ?? '';
}

/** Names of the test programs built. */
export function programs(): string[] {
	if (!existsSync(folder())) return [];
	return readdirSync(folder()).filter((name) => /_test(\.exe)?$/.test(name));
}

/** Runs one program and reads the lines that native/test/check.h prints. */
export function runProgram(name: string): { readonly status: number | null; readonly lines: Line[] } {
	const done = spawnSync(join(folder(), name), { encoding: 'utf8', maxBuffer: 1 << 26 });
	const lines = done.stdout.split(/\r?\n/).flatMap((text): Line[] => {
		const failed = /^not ok (.*?): (.*)$/.exec(text);
		if (failed) return [{ name: failed[1] as string, reason: failed[2] as string }];
		return text.startsWith('ok ') ? [{ name: text.slice(3), reason: undefined }] : [];
	});
	return { status: done.status, lines };
}
