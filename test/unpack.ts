import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';

/** A copy of a folder of fixtures in a temporary one, its .gz files unpacked. The caller removes it. */
export function unpacked(folder: string): string {
	const copy = mkdtempSync(join(tmpdir(), 'distiltune-'));
	cpSync(folder, copy, { recursive: true });
	for (const name of readdirSync(copy, { recursive: true, encoding: 'utf8' }).filter((each) => each.endsWith('.gz'))) {
		writeFileSync(join(copy, name.slice(0, -3)), gunzipSync(readFileSync(join(copy, name))));
		rmSync(join(copy, name));
	}
	return copy;
}
