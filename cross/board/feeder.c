/* feeder DEVICE CLIP MILLISECONDS: plays a motion JPEG clip into a v4l2loopback device, one frame
 * each MILLISECONDS, over and over. CLIP is opened anew for each pass, so that replacing the file
 * changes what the camera sees without a gap. Static, for a guest that has no library. */
#include <errno.h>
#include <fcntl.h>
#include <linux/videodev2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static void die(const char *what) {
    fprintf(stderr, "feeder: %s: %s\n", what, strerror(errno));
    exit(1);
}

static unsigned char *load(const char *path, size_t *length) {
    struct stat about;
    int file = open(path, O_RDONLY);
    if (file < 0 || fstat(file, &about) < 0) die(path);
    unsigned char *bytes = malloc(about.st_size);
    if (!bytes || read(file, bytes, about.st_size) != about.st_size) die(path);
    close(file);
    *length = about.st_size;
    return bytes;
}

/* The end of the picture that starts at `from`: behind its marker of the end (FF D9). */
static size_t picture_end(const unsigned char *bytes, size_t from, size_t length) {
    for (size_t at = from + 2; at + 1 < length; at++)
        if (bytes[at] == 0xff && bytes[at + 1] == 0xd9) return at + 2;
    return length;
}

int main(int count, char **words) {
    if (count != 4) {
        fprintf(stderr, "use: feeder DEVICE CLIP MILLISECONDS\n");
        return 2;
    }
    long pause = atol(words[3]);
    struct timespec nap = {pause / 1000, pause % 1000 * 1000000};
    int device = open(words[1], O_RDWR);
    if (device < 0) die(words[1]);
    struct v4l2_format format = {.type = V4L2_BUF_TYPE_VIDEO_OUTPUT};
    format.fmt.pix.width = 640;
    format.fmt.pix.height = 480;
    format.fmt.pix.pixelformat = V4L2_PIX_FMT_MJPEG;
    format.fmt.pix.field = V4L2_FIELD_NONE;
    format.fmt.pix.sizeimage = 640 * 480 * 2;
    if (ioctl(device, VIDIOC_S_FMT, &format) < 0) die("VIDIOC_S_FMT");
    /* The module knows a writer by this call alone, not by its writing. Without it, a feeder that
     * ends leaves a device that offers neither input nor output, and the next one's S_FMT gets
     * EINVAL as soon as anybody has asked QUERYCAP. */
    int type = V4L2_BUF_TYPE_VIDEO_OUTPUT;
    if (ioctl(device, VIDIOC_STREAMON, &type) < 0) die("VIDIOC_STREAMON");
    for (;;) {
        size_t length, end;
        unsigned char *bytes = load(words[2], &length);
        for (size_t at = 0; at < length; at = end) {
            end = picture_end(bytes, at, length);
            if (write(device, bytes + at, end - at) < 0) die("write");
            nanosleep(&nap, NULL);
        }
        free(bytes);
    }
}
